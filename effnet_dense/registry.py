"""Child registries of mmengine's, so that `type='effnet_dense.X'` builds from anywhere.

mmdet's and mmseg's registries are siblings of these: both find the classes through mmengine's
root by the scope in front of the dot. This file imports mmengine alone: an ImportError in here
would be swallowed by `Registry.get`, which then hides a failed registration.
"""

from mmengine import registry as root
from mmengine.registry import Registry


def _child(parent: Registry, *locations: str) -> Registry:
    return Registry(parent.name, parent=parent, scope='effnet_dense', locations=list(locations))


MODELS = _child(root.MODELS, 'effnet_dense.models')
WEIGHT_INITIALIZERS = _child(root.WEIGHT_INITIALIZERS, 'effnet_dense.weights')
TASK_UTILS = _child(root.TASK_UTILS, 'effnet_dense.models')
DATASETS = _child(root.DATASETS, 'effnet_dense.data.label_maps.dataset')
TRANSFORMS = _child(root.TRANSFORMS, 'effnet_dense.data')
METRICS = _child(root.METRICS, 'effnet_dense.evaluation')
HOOKS = _child(root.HOOKS, 'effnet_dense.engine', 'effnet_dense.report')
LOOPS = _child(root.LOOPS, 'effnet_dense.engine')
RUNNERS = _child(root.RUNNERS, 'effnet_dense.engine')
VISUALIZERS = _child(root.VISUALIZERS, 'effnet_dense.evaluation.visualizer')
