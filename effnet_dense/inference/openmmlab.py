"""What the inference functions of mmdet and mmseg need for this package's configs.

`effnet_dense.compat.inference_apis` and `effnet_dense.compat.loading_steps` call it from theirs.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.runner.checkpoint import CheckpointLoader

from effnet_dense.data.config_walk import is_segmentation, type_name
from effnet_dense.data.model_classes import checkpoint_meta, model_for, test_dataset
from effnet_dense.data.transforms import LoadImageFromFile
from effnet_dense.engine.input_channels import set_input_channels
from effnet_dense.inference.images import ImageReader
from effnet_dense.utils.urls import public_name

PACKAGE = __name__.partition('.')[0]
LOADER = LoadImageFromFile.__name__


class ArrayLoader:
    """Takes images given as arrays, to the values that the same image has as a file.

    Args:
        loader: Loads files.
    """

    def __init__(self, loader: LoadImageFromFile) -> None:
        self._reader = ImageReader(loader.image_range, loader.upright, loader.channels)
        self._float = loader.to_float32

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Convert results['img'], and set what mmdet's `LoadImageFromNDArray` sets.

        Raises:
            ValueError: The array is not an image (see `as_bgr`).
        """
        image = self._reader(results['img'])
        results['img'] = image.astype(np.float32) if self._float else image
        results['img_path'] = None
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results


class AnyLoader:
    """Loads results['img_path'], or takes results['img'] if there is one."""

    def __init__(self, **arguments: Any) -> None:
        self.from_file, self.from_array = loaders(**arguments)

    def __call__(self, results: dict[str, Any]) -> dict[str, Any] | None:
        if 'img' in results:
            return self.from_array(results)
        return self.from_file.transform(results)


def loaders(**arguments: Any) -> tuple[LoadImageFromFile, ArrayLoader]:
    """Build the loader of files and that of arrays, from the arguments of a config's loader."""
    from_file = LoadImageFromFile(**arguments)
    return from_file, ArrayLoader(from_file)


def is_ours(node: Any) -> bool:
    """Whether any part of a config has a type of this package."""
    if isinstance(node, Mapping | Config):
        kind = node.get('type')
        module = kind if isinstance(kind, str) else getattr(kind, '__module__', '')
        return module.startswith(f'{PACKAGE}.') or any(map(is_ours, node.values()))
    return isinstance(node, list | tuple) and any(map(is_ours, node))


def adapted(config: str | Path | Config, checkpoint: Any, options: Any) -> Config | str | Path:
    """Copy a config for the classes of a checkpoint, as `Predictor` does.

    Args:
        config: A Config, or a path.
        checkpoint: Anything that mmengine loads.
        options: mmengine's `cfg_options`.

    Returns:
        The config, unchanged where no part of it is this package's.
    """
    if not isinstance(config, str | Path | Config) or checkpoint is None:
        return config
    read = copy.deepcopy(config) if isinstance(config, Config) else Config.fromfile(config)
    if not is_ours(read):
        return config
    if options is not None:
        read.merge_from_dict(options)
    adapt(read, checkpoint)
    return read


def adapt(config: Any, checkpoint: Any) -> None:
    """Give a config the heads, names and colours of a checkpoint's classes.

    Args:
        config: A Config or ConfigDict, changed in place; not at all where no part of it is this
            package's.
        checkpoint: Anything that mmengine loads, or None.
    """
    if checkpoint is None or not config or not is_ours(config):
        return
    set_input_channels(config)
    saved = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    meta = checkpoint_meta(saved, public_name(checkpoint))
    if meta is None:
        return
    config.model = model_for(config, meta['classes'])
    if not is_segmentation(config):  # mmseg's APIs take the checkpoint's colours by themselves
        metainfo = test_dataset(config).get('metainfo') or {}
        if tuple(metainfo.get('classes') or ()) != meta['classes']:
            test_dataset(config)['metainfo'] = meta


def inference_pipeline(config: Any) -> Compose | None:
    """Build a test pipeline for paths and arrays, without annotations.

    Returns:
        None if it does not load images by this package's loader.
    """
    steps = copy.deepcopy(list(test_dataset(config)['pipeline']))
    if not steps or type_name(steps[0]) != LOADER or not is_ours(steps[0]):
        return None
    arguments = {key: value for key, value in steps[0].items() if key != 'type'}
    rest = [step for step in steps[1:] if not type_name(step).startswith('Load')]
    return Compose([AnyLoader(**arguments), *rest])
