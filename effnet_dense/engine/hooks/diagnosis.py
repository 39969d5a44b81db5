"""Describe a batch whose loss is not finite, and what may have caused it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from mmengine.runner import Runner
from torch import Tensor

from effnet_dense.engine.checks.batch_size import images_per_step
from effnet_dense.utils.counted import counted
from effnet_dense.utils.wrappers import unwrap_model

SHOWN = 5
"""Maximum number of tensor names in a line."""


def diagnose(runner: Runner, data_batch: Any, last_norm: float) -> Iterator[str]:
    """Yield lines on possible causes, the likeliest first.

    Args:
        runner: The runner, after the step.
        data_batch: The step's batch, as the data loader returns it.
        last_norm: Norm of the gradients in the last finite step; NaN if unknown.
    """
    rates = [group['lr'] for group in runner.optim_wrapper.optimizer.param_groups]
    base = (runner.cfg.get('auto_scale_lr') or {}).get('base_batch_size')
    meant = f', which is meant for {base} (--auto-scale-lr scales it)' if base else ''
    yield (
        f'  learning rate {max(rates):.3g} at {counted(images_per_step(runner), "image")} per '
        f'step{meant}: '
        'try a tenth of it, a longer warm-up, or optim_wrapper.clip_grad'
    )
    if math.isfinite(last_norm):
        yield f'  norm of the gradients in the last finite step: {last_norm:.3g}'
    yield from _not_finite('weights', unwrap_model(runner.model).named_parameters())
    yield from _not_finite('images', _inputs(data_batch))
    yield from _box_sides(data_batch)


def not_finite_parts(outputs: Any) -> str:
    """Return the parts of the loss that are not finite, such as ' (loss_cls nan)', or ''."""
    numbers = {k: v for k, v in (outputs or {}).items() if _is_number(v)}
    values = {k: float(torch.as_tensor(v).detach()) for k, v in numbers.items()}
    bad = [f'{k} {v}' for k, v in values.items() if not math.isfinite(v)]
    return f' ({", ".join(bad)})' if bad else ''


def image_paths(data_batch: Any) -> list[str]:
    """Return the paths of a batch's images; '?' for an unknown one."""
    return [str(sample.get('img_path', '?')) for sample in _samples(data_batch)]


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int) or (isinstance(value, Tensor) and value.numel() == 1)


def _samples(data_batch: Any) -> Sequence[Any]:
    return data_batch.get('data_samples') or () if isinstance(data_batch, Mapping) else ()


def _inputs(data_batch: Any) -> Iterator[tuple[str, Tensor]]:
    """Yield each image's path, or else its index, and its tensor (3, H, W)."""
    inputs = data_batch.get('inputs') if isinstance(data_batch, Mapping) else None
    if isinstance(inputs, list | tuple | Tensor):
        paths = image_paths(data_batch)
        for number, image in enumerate(inputs):
            yield paths[number] if number < len(paths) else str(number), image


def _not_finite(what: str, named: Iterable[tuple[str, Tensor]]) -> Iterator[str]:
    """Yield a line if some tensors have NaN or infinite values."""
    bad = [name for name, tensor in named if not torch.isfinite(tensor.float()).all()]
    if bad:
        more = ', …' if bad[SHOWN:] else ''
        yield f'  {what} that are not finite: {", ".join(bad[:SHOWN])}{more}'


def _box_sides(data_batch: Any) -> Iterator[str]:
    """Yield a line on the sizes of the boxes, which may make regression targets extreme."""
    sides = []
    for sample in _samples(data_batch):
        boxes = sample.get('gt_instances', {}).get('bboxes', ())
        boxes = getattr(boxes, 'tensor', boxes)
        if len(boxes):
            sides.append((boxes[:, 2:4] - boxes[:, :2]).reshape(-1))
    if sides:
        found = torch.cat(sides)
        yield (
            f'  sides of the boxes: {float(found.min()):.3g} to {float(found.max()):.3g} pixels; '
            'far from the anchors (anchor_generator), or 0, they make a loss explode'
        )
