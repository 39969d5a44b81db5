"""Scale a config by a candidate: the backbone's depth and width, and the image size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config, ConfigDict

from effnet_dense.analysis.memory.image_size import network_input_size
from effnet_dense.analysis.scaling.grid import Candidate
from effnet_dense.data.config_walk import leaf_datasets, type_name
from effnet_dense.scaling import FAMILIES, architecture

MULTIPLE = 8
"""Pixels; sizes are rounded to multiples of this."""
LOOPS = ('train', 'val', 'test')
SIZE_KEYS = ('scale', 'scales', 'crop_size', 'size', 'img_scale', 'stride')


def scale_config(config: Config, candidate: Candidate, size: int | None = None) -> None:
    """Scale a config in place: depth by α, width by β, image size by γ.

    Weights of the unscaled network do not fit the scaled one, so it starts from random weights.

    Args:
        config: Config of a detector or segmentor with an `effnet_dense.EfficientNet`.
        candidate: The factors.
        size: The longer side of the unscaled network's images; None keeps the config's.

    Raises:
        ValueError: The config has another backbone, or no image size.
    """
    scale_images(config, candidate.gamma, size)
    scale_backbone(config, candidate.alpha, candidate.beta)
    start_from_random_weights(config)


def scaled_arch(arch: Any, alpha: float, beta: float) -> dict[str, Any]:
    """Return the architecture with α times the depth and β times the width.

    Raises:
        ValueError: It is unknown to `effnet_dense.scaling`, or a dict with phi.
    """
    architecture(arch)
    if isinstance(arch, str):
        base, scale = FAMILIES[arch]
        width, depth = scale.width, scale.depth
    elif 'phi' in arch:
        raise ValueError(f"the search's arch must be a name or have width and depth; got {arch}")
    else:
        base, width, depth = arch.get('base', 'b0'), arch.get('width', 1), arch.get('depth', 1)
    return dict(base=base, width=round(width * beta, 6), depth=round(depth * alpha, 6))


def scale_backbone(config: Config, alpha: float, beta: float) -> None:
    """Scale the backbone's depth and width, and the input channels of the neck or heads."""
    backbone: Any = config.model.get('backbone') or {}
    if type_name(backbone) != 'EfficientNet':
        raise ValueError(
            f'model.backbone must be an effnet_dense.EfficientNet, got {backbone.get("type")!r}'
        )
    backbone.arch = scaled_arch(backbone.get('arch', 'b0'), alpha, beta)
    all_channels = architecture(backbone.arch).channels()
    channels = [all_channels[index] for index in backbone.get('out_indices', (3, 4, 5))]
    if config.model.get('neck'):
        config.model.neck.in_channels = channels
        return
    for head in _segmentation_heads(config):
        index = head.get('in_index', -1)
        several = isinstance(index, list | tuple)
        head.in_channels = [channels[i] for i in index] if several else channels[index]
        if 'c1_in_channels' in head:
            head.c1_in_channels = channels[0]


def _segmentation_heads(config: Config) -> Iterator[Any]:
    for name in ('decode_head', 'auxiliary_head'):
        heads = config.model.get(name) or []
        yield from heads if isinstance(heads, list) else [heads]


def scale_images(config: Config, gamma: float, size: int | None = None) -> None:
    """Scale the sizes in pipelines, preprocessor and sliding windows to multiples of 8 pixels.

    Validation and test pipelines that keep the images' size get a transform that scales them.
    """
    before = network_input_size(config)
    factor = gamma * (1.0 if size is None else size / max(before))
    preprocessor: Any = config.model.get('data_preprocessor') or {}
    if preprocessor.get('pad_size_divisor') == max(before):
        preprocessor.pad_size_divisor = _scale_side(max(before), factor)
    for node in (preprocessor, *(preprocessor.get('batch_augments') or ())):
        _scale_sizes(node, factor)
    _scale_sizes(config.model.get('test_cfg') or {}, factor)
    done: set[int] = set()
    for loop in LOOPS:
        loader = config.get(f'{loop}_dataloader') or {}
        for dataset in _datasets_with_pipelines(loader.get('dataset') or {}):
            if id(dataset['pipeline']) in done:  # shared by val and test
                continue
            scaled = [_scale_transform(transform, factor) for transform in dataset['pipeline']]
            if loop != 'train' and not any(scaled):
                _insert_resize(dataset['pipeline'], factor)
            done.add(id(dataset['pipeline']))


def start_from_random_weights(config: Config) -> None:
    """Drop initial weights, frozen stages and a smaller learning rate of the backbone."""
    config.load_from = None
    config.model.backbone.update(init_cfg=None, frozen_stages=0, norm_eval=False)
    paramwise = config.optim_wrapper.get('paramwise_cfg') or {}
    for key, values in (paramwise.get('custom_keys') or {}).items():
        if 'backbone' in key:
            values.pop('lr_mult', None)


def _datasets_with_pipelines(dataset: Any) -> Iterator[Any]:
    """Yield a dataset and the ones that it wraps, if they have pipelines."""
    while dataset:
        if dataset.get('pipeline'):
            yield dataset
        inner = dataset.get('dataset')
        if inner is None and dataset.get('datasets'):
            yield from (leaf for leaf in leaf_datasets(dataset) if leaf.get('pipeline'))
        dataset = inner


def _scale_transform(transform: Any, factor: float) -> bool:
    """Scale a transform and the ones inside it; return whether any has a size."""
    inside = transform.get('transforms') or ()
    flat = [t for part in inside for t in (part if isinstance(part, list | tuple) else [part])]
    found = [_scale_transform(t, factor) for t in flat]
    return _scale_sizes(transform, factor) or any(found)


def _scale_sizes(node: Any, factor: float) -> bool:
    found = False
    for key in SIZE_KEYS:
        value = node.get(key)
        if value and _is_size(value):
            node[key] = _scale_size(value, factor)
            found = True
    return found


def _is_size(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_size(part) for part in value)
    return isinstance(value, int) and not isinstance(value, bool)


def _scale_size(value: Any, factor: float) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(_scale_size(part, factor) for part in value)
    return _scale_side(value, factor)


def _scale_side(pixels: int, factor: float) -> int:
    return max(1, round(pixels * factor / MULTIPLE)) * MULTIPLE


def _insert_resize(pipeline: list[Any], factor: float) -> None:
    first = next(i for i, t in enumerate(pipeline) if 'LoadImage' in type_name(t))
    resize = ConfigDict(type='Resize', scale_factor=factor, keep_ratio=True)
    pipeline.insert(first + 1, resize)
