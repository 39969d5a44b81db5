"""Find images so narrow that a pipeline's resizing leaves no pixel of a side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from effnet_dense.data.config_walk import type_name

Scale = tuple[float, float]
"""Longest and shortest side in pixels, within which an image is resized."""

RESIZERS = ('Resize', 'RandomResize', 'RandomChoiceResize')


def smallest_scale(pipeline: Iterable[Any]) -> Scale | None:
    """Find the smallest scale to which a pipeline may resize, keeping the aspect ratio.

    Args:
        pipeline: The config's steps, those of mmcv, mmdet and mmseg.

    Returns:
        None if nothing is resized like that.
    """
    return min((scale for step in pipeline for scale in _scales(step)), default=None)


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
    given = step.get('scales') or step.get('scale')
    several = isinstance(given, list | tuple) and given and isinstance(given[0], list | tuple)
    ratio = (step.get('ratio_range') or (1.0,))[0]
    for scale in given if several else [given]:
        if isinstance(scale, int | float):
            yield scale * ratio, scale * ratio
        elif isinstance(scale, list | tuple) and len(scale) == 2:
            yield max(scale) * ratio, min(scale) * ratio
