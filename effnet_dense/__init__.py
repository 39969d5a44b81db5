"""EfficientNets for dense prediction: an OpenMMLab plugin for detection and segmentation.

Importing the package is cheap. It makes substitutes for mmcv's compiled operators and for
panopticapi importable where these are not installed, sets safe defaults for mmengine's loaders and
inductor's cache (docs/security.md), lets images without objects through mmdet's crop where a config
asks for them (docs/own-data.md), lets configs inherit shipped ones by name (docs/train.md), and
serves this package's configs with OpenMMLab's own inference functions and tools
(docs/openmmlab.md); public names, and torch, are loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import Any

from effnet_dense import compat

__version__ = '0.1.0'

_MODULES = {
    'Albumentations': 'effnet_dense.data',
    'BiFPN': 'effnet_dense.models',
    'BiFPNSegHead': 'effnet_dense.models',
    'EfficientDetHead': 'effnet_dense.models',
    'EfficientNet': 'effnet_dense.models',
    'EfficientNetClassifier': 'effnet_dense.models',
    'create_classifier': 'effnet_dense.hub',
    'deploy': 'effnet_dense.deployment',
    'evaluate': 'effnet_dense.api.evaluation',
    'LoadReport': 'effnet_dense.weights',
    'Predictor': 'effnet_dense.inference',
    'Pretrained': 'effnet_dense.weights',
    'Run': 'effnet_dense.api.run',
    'export': 'effnet_dense.exporting',
    'export_weights': 'effnet_dense.weights',
    'list_models': 'effnet_dense.api.models',
    'load_weights': 'effnet_dense.weights',
    'train': 'effnet_dense.api.training',
}
__all__ = ['__version__', *_MODULES]

compat.install()
compat.warn_about_mmcv()
compat.keep_empty_images()
compat.inherit_shipped_configs()
compat.install_safe_defaults(lambda: importlib.import_module('effnet_dense.weights.safe'))
compat.serve_inference_apis(lambda: importlib.import_module('effnet_dense.inference.openmmlab'))
compat.serve_loading_steps(lambda: importlib.import_module('effnet_dense.inference.openmmlab'))
compat.serve_mmseg_tools()
compat.serve_layer_decay()
compat.serve_coco_engine()
compat.serve_type_hints()


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
