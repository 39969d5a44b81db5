"""`--image-size`: the size of images in training, validation, testing and prediction.

Detectors: images are resized to fit into (width, height), and cropped or padded to it where the
config crops or pads. Segmentors: (width, height) is the crop of training and of sliding windows;
the scales of training and testing keep their ratio to the shorter side of the crop.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log

from effnet_dense.data.config_walk import is_segmentation, loop_datasets, type_name
from effnet_dense.engine.settings.network_sizes import check_network_size, set_network_sizes
from effnet_dense.engine.settings.size_change import Size, SizeChange
from effnet_dense.engine.settings.sized_nodes import (
    FIXED,
    RANDOM_RESIZERS,
    RESIZERS,
    crop_size,
    each_node,
    resize_node,
)
from effnet_dense.engine.settings.unsized_nodes import check_nodes

TEST_LOOPS = ('val', 'test')
NAMED_SIZES = ('crop_size', 'image_size', 'img_size', 'input_size')
NAMED_SCALES = ('img_scale', 'img_scales', 'scale')
"""Variables of config files: nothing reads them, but people do."""


def set_image_size(config: Config, size: Size) -> None:
    """Set the size of images in all pipelines, padding, sliding windows and test-time augmentation.

    Args:
        config: Changed in place.
        size: Width and height in pixels.

    Raises:
        ValueError: The network takes no such size, or a part of the config has a size of its own.
    """
    check_nodes(config, size)
    changes = _changes(config, size)
    train = changes['train']
    check_network_size(config, train)
    base = _test_scale(config, changes)
    done: set[int] = set()
    for key, value in list(config.items()):
        change = changes[_loop_of(key)]
        _resize(value, change, config.get('default_scope'), done)
        if key in (*NAMED_SIZES, *NAMED_SCALES):
            config[key] = _variable(value, change, key in NAMED_SCALES)
    for loop in TEST_LOOPS:
        for dataset in loop_datasets(config, loop):
            _resize_in_tests(dataset.get('pipeline'), base, f'{loop}_dataloader')
    _set_factors(config.get('tta_pipeline'), base)
    set_network_sizes(config, train)
    print_log(_summary(changes, base))


def _loop_of(key: str) -> str:
    """Return the loop that reads a top-level entry, by its name."""
    if key.startswith('val'):
        return 'val'
    return 'test' if key.startswith(('test', 'tta')) else 'train'


def _changes(config: Config, size: Size) -> dict[str, SizeChange]:
    """Find the size of each loop's images."""
    crops, fixed = is_segmentation(config), _fixed_size(config)
    if crops:
        reference = fixed or _window(config)
        if reference is None:
            raise ValueError(
                '--image-size is the crop of training images, but train_dataloader has no '
                'RandomCrop and model.data_preprocessor no size: write one of them'
            )
        return dict.fromkeys(('train', 'val', 'test'), SizeChange(reference, size, crops=True))
    scales = {loop: _scale(config, loop) for loop in ('train', *TEST_LOOPS)}
    tests = scales['test'] or scales['val'] or fixed or scales['train']
    if tests is None:
        raise ValueError(
            '--image-size found no size to replace: write a Resize in the pipelines of '
            'train_dataloader, val_dataloader and test_dataloader'
        )
    found = {loop: SizeChange(scales[loop] or tests, size) for loop in TEST_LOOPS}
    return found | {'train': SizeChange(fixed or tests, size)}


def _fixed_size(config: Config) -> Size | None:
    """Return the (width, height) to which training images are cropped or padded."""
    scope = config.get('default_scope')
    places = [config.get('model'), config.get('train_dataloader')]
    nodes = [node for place in places for node in each_node(place)]
    for kind in FIXED:
        sizes = [crop_size(node, scope) for node in nodes if type_name(node) == kind]
        found = [size for size in sizes if size is not None]
        if found:
            return found[-1]
    return None


def _window(config: Config) -> Size | None:
    """Return the (width, height) of a segmentor's padded crops, or of its sliding windows."""
    model = config.get('model') or {}
    size = (model.get('data_preprocessor') or {}).get('size')
    size = size or (model.get('test_cfg') or {}).get('crop_size')
    return (size[1], size[0]) if isinstance(size, list | tuple) else None


def _scale(config: Config, loop: str) -> Size | None:
    """Return the largest scale to which a loop's images are resized, the longer side first."""
    found = []
    for node in each_node(config.get(f'{loop}_dataloader')):
        if type_name(node) in (*RESIZERS, *RANDOM_RESIZERS):
            found += list(_scales(node))
    return max(found, key=lambda scale: scale[0] * scale[1], default=None)


def _scales(node: Any) -> Iterator[Size]:
    if 'width' in node and 'height' in node:
        yield node['width'], node['height']
    given = node.get('scales') or node.get('scale')
    several = isinstance(given, list | tuple) and given and isinstance(given[0], list | tuple)
    for scale in given if several else [given]:
        if isinstance(scale, list | tuple) and len(scale) == 2:
            keeps_ratio = node.get('keep_ratio')
            yield (max(scale), min(scale)) if keeps_ratio else (scale[0], scale[1])
        elif isinstance(scale, int):
            yield scale, scale


def _test_scale(config: Config, changes: Mapping[str, SizeChange]) -> Size | None:
    """Return the new scale of test images: where they have none, that of training images."""
    change = changes['test']
    if not change.crops:
        return change.new
    scale = _scale(config, 'test') or _scale(config, 'val') or _scale(config, 'train')
    return change.fit(scale) if scale else None


def _resize(node: Any, change: SizeChange, scope: str | None, done: set[int]) -> None:
    """Change all sizes in a node once, though several parts of a config may share it."""
    for child in each_node(node):
        if id(child) not in done:
            done.add(id(child))
            resize_node(child, change, scope)


def _variable(value: Any, change: SizeChange, scaled: bool) -> Any:
    """Change a variable: the size itself in either order, or with `scaled` also other scales."""
    if isinstance(value, int) and (value, value) == change.old:
        return min(change.new)
    if not isinstance(value, list | tuple):
        return value
    if value and isinstance(value[0], list | tuple):
        return type(value)(_variable(item, change, scaled) for item in value)
    kind: Any = type(value)
    for order in (1, -1):
        if tuple(value) == change.old[::order]:
            return kind(change.new[::order])
    return kind(change.fit(value)) if scaled and len(value) == 2 else value


def _resize_in_tests(pipeline: Any, scale: Size | None, where: str) -> None:
    """Resize images in a pipeline that has kept their size: mmseg restores it in the results."""
    if not pipeline:
        return
    if _set_factors(pipeline, scale) or any(type_name(n) in RESIZERS for n in each_node(pipeline)):
        return
    loaders = [i for i, step in enumerate(pipeline) if 'Image' in type_name(step)]
    if scale is None or not loaders:
        raise ValueError(
            f'--image-size: the pipeline of {where} keeps the size of the images, and so does that '
            f'of train_dataloader: write a Resize in both, such as '
            "dict(type='Resize', scale=(1024, 512), keep_ratio=True)"
        )
    step = ConfigDict(type='Resize', scale=scale, keep_ratio=True)
    pipeline.insert(loaders[0] + 1, step)


def _set_factors(pipeline: Any, scale: Size | None) -> bool:
    """Replace factors of an image's own size by factors of the scale; return whether any was."""
    found = False
    for node in each_node(pipeline):
        factor = node.get('scale_factor')
        if type_name(node) == 'Resize' and isinstance(factor, int | float) and scale is not None:
            del node['scale_factor']
            node['scale'] = (round(scale[0] * factor), round(scale[1] * factor))
            node.setdefault('keep_ratio', True)
            found = True
    return found


def _summary(changes: Mapping[str, SizeChange], scale: Size | None) -> str:
    train = changes['train']
    old, new = ('{} × {}'.format(*size) for size in (train.old, train.new))
    what = 'crops of' if train.crops else 'training images of'
    tests = f', test images are resized to fit {scale[0]} × {scale[1]}' if scale else ''
    return f'--image-size: {what} {old} become {new} (width × height){tests}'
