"""Registries for `type='effnet_dense.X'` in configs of mmdet and mmseg.

They are children of mmengine's root registries. mmdet's and mmseg's are siblings, and find these
classes through the root by the scope before the dot. This file imports mmengine only:
`Registry.get` would swallow an ImportError from here and hide a failed registration.
"""

from mmengine import registry as root
from mmengine.registry import Registry


def _child(parent: Registry, *locations: str) -> Registry:
    """Create a registry; `locations` are the modules that register classes when imported."""
    return Registry(parent.name, parent=parent, scope='effnet_dense', locations=list(locations))


MODELS = _child(root.MODELS, 'effnet_dense.models', 'effnet_dense.evaluation')
WEIGHT_INITIALIZERS = _child(root.WEIGHT_INITIALIZERS, 'effnet_dense.weights')
TASK_UTILS = _child(root.TASK_UTILS, 'effnet_dense.models')
DATASETS = _child(root.DATASETS, 'effnet_dense.data.label_maps.dataset')
TRANSFORMS = _child(root.TRANSFORMS, 'effnet_dense.data')
METRICS = _child(root.METRICS, 'effnet_dense.evaluation')
HOOKS = _child(root.HOOKS, 'effnet_dense.engine', 'effnet_dense.report')
LOOPS = _child(root.LOOPS, 'effnet_dense.engine')
RUNNERS = _child(root.RUNNERS, 'effnet_dense.engine')
FUNCTIONS = _child(root.FUNCTIONS, 'effnet_dense.analysis.memory.fitting')
VISUALIZERS = _child(root.VISUALIZERS, 'effnet_dense.evaluation.visualizer')
