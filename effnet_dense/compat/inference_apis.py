"""OpenMMLab's inference functions serve this package's configs and checkpoints.

They build heads for the config's number of classes, whatever the checkpoint's is, exchange a
pipeline's first step for one that takes arrays or paths but not both, and leave this package's
loader of label maps in it (mmdet 3.3, `apis/inference.py`; mmseg 1.2.2, `apis/inference.py` and
`apis/utils.py`; mmengine 0.10.7, `infer/infer.py`). Configs without a type of this package are
served as before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from types import ModuleType
from typing import Any

from effnet_dense.compat.after_import import after_import
from effnet_dense.compat.replace import replace

Helpers = Callable[[], Any]


def serve_inference_apis(helpers: Helpers) -> None:
    """Change the functions as soon as they are imported.

    Args:
        helpers: Imports `effnet_dense.inference.openmmlab`, when a model is built.
    """
    after_import('mmengine.infer.infer', lambda m: adapt_inferencers(m, helpers))
    after_import('mmdet.apis.inference', lambda m: adapt_detectors(m, helpers))
    after_import('mmseg.apis.inference', lambda m: adapt_segmentors(m, helpers))


def adapt_inferencers(module: ModuleType, helpers: Helpers) -> None:
    """Make every inferencer build its model for the checkpoint's classes.

    Args:
        module: `mmengine.infer.infer`.
        helpers: See `serve_inference_apis`.
    """
    original = module.BaseInferencer._init_model

    def _init_model(self: Any, cfg: Any, weights: Any, device: Any = 'cpu') -> Any:
        helpers().adapt(cfg, weights)
        return original(self, cfg, weights, device)

    module.BaseInferencer._init_model = _init_model


def adapt_detectors(module: ModuleType, helpers: Helpers) -> None:
    """Change `init_detector` and `inference_detector`.

    Args:
        module: `mmdet.apis.inference`.
        helpers: See `serve_inference_apis`.
    """
    _build_for_checkpoint(module, 'init_detector', 4, helpers)
    original = module.inference_detector

    def inference_detector(
        model: Any, imgs: Any, test_pipeline: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        if test_pipeline is None:
            test_pipeline = helpers().inference_pipeline(model.cfg)
        return original(model, imgs, test_pipeline, *args, **kwargs)

    replace(module, 'inference_detector', inference_detector)


def adapt_segmentors(module: ModuleType, helpers: Helpers) -> None:
    """Change `init_model`, and the preparation of images for `inference_model`.

    Args:
        module: `mmseg.apis.inference`.
        helpers: See `serve_inference_apis`.
    """
    _build_for_checkpoint(module, 'init_model', 3, helpers)
    original = module._preprare_data

    def _preprare_data(imgs: Any, model: Any) -> Any:
        pipeline = helpers().inference_pipeline(model.cfg)
        if pipeline is None:
            return original(imgs, model)
        several = isinstance(imgs, list | tuple)
        data = defaultdict(list)
        for image in imgs if several else [imgs]:
            key = 'img' if hasattr(image, 'dtype') else 'img_path'
            for name, value in pipeline({key: image}).items():
                data[name].append(value)
        return data, several

    replace(module, '_preprare_data', _preprare_data)


def _build_for_checkpoint(module: ModuleType, name: str, at: int, helpers: Helpers) -> None:
    """Make a function (config, checkpoint, …) build the model for the checkpoint's classes.

    Args:
        module: Where the function is defined.
        name: The function's.
        at: Position of its argument `cfg_options`.
        helpers: See `serve_inference_apis`.
    """
    original = getattr(module, name)

    def build(config: Any, checkpoint: Any = None, *args: Any, **kwargs: Any) -> Any:
        options = kwargs.get('cfg_options', args[at - 2] if len(args) > at - 2 else None)
        config = helpers().adapted(config, checkpoint, options)
        return original(config, checkpoint, *args, **kwargs)

    replace(module, name, build)
