"""Find images so narrow that a pipeline's resizing leaves no pixel of a side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mmengine.config import Config

from effnet_dense.data.config_walk import SPLIT_OF, loop_datasets, type_name

Scale = tuple[float, float]
"""Longest and shortest side in pixels, within which an image is resized."""

TOO_NARROW = 'image of which resizing may leave no pixel of a side'
RESIZERS = ('Resize', 'RandomResize', 'RandomChoiceResize')


def smallest_scale(pipeline: Iterable[Any]) -> Scale | None:
    """Find the smallest scale to which a pipeline may resize, keeping the aspect ratio.

    Args:
        pipeline: The config's steps, those of mmcv, mmdet and mmseg.

    Returns:
        None if nothing is resized like that.
    """
    return min((scale for step in pipeline for scale in _scales(step)), default=None)


def split_scales(cfg: Config) -> dict[str, Scale | None]:
    """Find the smallest scale to which a config's pipelines resize the images of each split."""
    found: dict[str, list[Scale]] = {split: [] for split in SPLIT_OF.values()}
    for loop, split in SPLIT_OF.items():
        for dataset in loop_datasets(cfg, loop):
            scale = smallest_scale(dataset.get('pipeline') or ())
            found[split] += [scale] if scale is not None else []
    return {split: min(scales, default=None) for split, scales in found.items()}


def becomes_empty(width: float, height: float, scale: Scale | None) -> bool:
    """Whether mmcv rounds a side of an image to 0 pixels when it resizes it to a scale."""
    if scale is None:
        return False
    long, short = max(width, height), min(width, height)
    return int(short * min(scale[0] / long, scale[1] / short) + 0.5) < 1


def _scales(step: Any) -> Iterator[Scale]:
    """Yield the scales of a step that keeps the aspect ratio, at the lower end of random ones."""
    if not isinstance(step, Mapping) or type_name(step) not in RESIZERS:
        return
    if not step.get('keep_ratio'):
        return
    given: Any = step.get('scales') or step.get('scale')
    several = isinstance(given, list | tuple) and given and isinstance(given[0], list | tuple)
    ratio = (step.get('ratio_range') or (1.0,))[0]
    for scale in given if several else [given]:
        if isinstance(scale, int | float):
            yield scale * ratio, scale * ratio
        elif isinstance(scale, list | tuple) and len(scale) == 2:
            yield max(scale) * ratio, min(scale) * ratio
