"""A loss or gradients that are not finite: the step is left out and said, and too many of them in a
row end the training with a diagnosis, before anything is spoilt.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor

from effnet_dense.engine.checks.batch_size import images_of_a_step
from effnet_dense.registry import HOOKS
from effnet_dense.utils.wrappers import unwrap_model


@HOOKS.register_module()
class FiniteHook(Hook):
    """Leaves out steps whose loss, or gradients, are NaN or infinite.

    Of such a step no weight, no state of the optimizer and no buffer of the model (batch norm's
    statistics) stays changed, on any process: they agree on it. The averaged weights take the
    unchanged ones in once more, and schedules go on. Gradients that wait to be accumulated with
    it are dropped. Where a gradient scaler watches the gradients (float16), an infinite gradient
    is its business, and not counted; the loss is watched all the same.

    Args:
        patience: So many steps in a row end the training.
    """

    priority = 'VERY_HIGH'

    def __init__(self, patience: int = 5) -> None:
        if patience < 1:
            raise ValueError(f'patience must be at least 1, got {patience}')
        self.patience = patience
        self.in_a_row = 0
        self.what = ''
        self.norm = math.nan
        self.last_norm = math.nan
        self._buffers: list[Tensor] = []
        self._kept: list[Tensor] = []

    def before_train(self, runner: Runner) -> None:
        """Watch the optimizer wrapper's updates."""
        if type(runner.optim_wrapper).update_params is not OptimWrapper.update_params:
            return  # one of its own kind, such as that of several optimizers
        self._buffers = list(unwrap_model(runner.model).buffers())
        self._kept = [buffer.clone() for buffer in self._buffers]
        runner.optim_wrapper.update_params = self._update(runner.optim_wrapper)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Remember the buffers that a forward pass changes."""
        _copy(self._kept, self._buffers)
        self.what = ''

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Say that a step was left out.

        Raises:
            FloatingPointError: too many in a row, with what may be the reason.
        """
        if not self.what:
            self.in_a_row, self.last_norm = 0, self.norm
            return
        _copy(self._buffers, self._kept)
        self.in_a_row += 1
        line = (
            f'iteration {runner.iter + 1}: {self.what}{self._parts(outputs)}, the step is left '
            f'out ({self.in_a_row} in a row); images: {", ".join(_images(data_batch))}'
        )
        if self.in_a_row < self.patience:
            runner.logger.warning(line)
            return
        raise FloatingPointError('\n'.join([line, *self._diagnosis(runner, data_batch)]))

    def _update(self, wrapper: OptimWrapper) -> Any:
        """`OptimWrapper.update_params` with a look at the loss, and one at the gradients."""

        def update_params(
            loss: Tensor,
            step_kwargs: dict[str, Any] | None = None,
            zero_kwargs: dict[str, Any] | None = None,
        ) -> None:
            zero = zero_kwargs or {}
            if not _everywhere(torch.isfinite(loss.detach()).all()):
                self.what = 'the loss is not finite'
                wrapper._inner_count += 1  # what `backward` does
                wrapper.zero_grad(**zero)
                return
            wrapper.backward(wrapper.scale_loss(loss))
            if not wrapper.should_update():
                return
            if not hasattr(wrapper, 'loss_scaler') and not self._finite_gradients(wrapper):
                self.what = 'the gradients are not finite'
            else:
                wrapper.step(**(step_kwargs or {}))
            wrapper.zero_grad(**zero)

        return update_params

    def _finite_gradients(self, wrapper: OptimWrapper) -> bool:
        """All processes have the same gradients, so that nothing has to be exchanged."""
        gradients = [p.grad for p in _parameters(wrapper) if p.grad is not None]
        self.norm = float(torch.nn.utils.get_total_norm(gradients)) if gradients else 0.0
        return math.isfinite(self.norm)

    def _parts(self, outputs: Any) -> str:
        """The parts of the loss that are not finite."""
        numbers = {k: v for k, v in (outputs or {}).items() if _is_number(v)}
        found = {k: float(torch.as_tensor(v).detach()) for k, v in numbers.items()}
        bad = [f'{k} {v}' for k, v in found.items() if not math.isfinite(v)]
        return f' ({", ".join(bad)})' if bad else ''

    def _diagnosis(self, runner: Runner, data_batch: Any) -> Iterator[str]:
        """What may be the reason, the likeliest first."""
        model = unwrap_model(runner.model)
        rates = [group['lr'] for group in runner.optim_wrapper.optimizer.param_groups]
        base = (runner.cfg.get('auto_scale_lr') or {}).get('base_batch_size')
        meant = f', which is meant for {base} (--auto-scale-lr scales it)' if base else ''
        yield (
            f'  learning rate {max(rates):.3g} at {images_of_a_step(runner)} images a step{meant}: '
            'try a tenth of it, a longer warm-up, or optim_wrapper.clip_grad'
        )
        if math.isfinite(self.last_norm):
            yield f'  norm of the gradients in the last good step: {self.last_norm:.3g}'
        yield from _bad_tensors('weights', model.named_parameters())
        yield from _bad_tensors('pictures', _pictures(data_batch))
        yield from _boxes(data_batch)


def _everywhere(holds: Tensor) -> bool:
    """Does it hold on all processes?"""
    if get_world_size() > 1:
        holds = holds.float()
        all_reduce(holds, op='min')
    return bool(holds)


def _copy(to: Sequence[Tensor], source: Sequence[Tensor]) -> None:
    """By kinds of numbers, which `_foreach_copy_` does in one go."""
    with torch.no_grad():
        for kind in {(tensor.dtype, tensor.device) for tensor in to}:
            pairs = [p for p in zip(to, source, strict=True) if (p[0].dtype, p[0].device) == kind]
            torch._foreach_copy_([a for a, _ in pairs], [b for _, b in pairs])


def _parameters(wrapper: OptimWrapper) -> Iterator[Tensor]:
    for group in wrapper.optimizer.param_groups:
        yield from group['params']


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int) or (isinstance(value, Tensor) and value.numel() == 1)


def _samples(data_batch: Any) -> Sequence[Any]:
    return data_batch.get('data_samples') or () if isinstance(data_batch, Mapping) else ()


def _images(data_batch: Any) -> list[str]:
    return [str(sample.get('img_path', '?')) for sample in _samples(data_batch)]


def _pictures(data_batch: Any) -> Iterator[tuple[str, Tensor]]:
    inputs = data_batch.get('inputs') if isinstance(data_batch, Mapping) else None
    if isinstance(inputs, list | tuple | Tensor):
        names = _images(data_batch)
        for number, picture in enumerate(inputs):
            yield names[number] if number < len(names) else str(number), picture


def _bad_tensors(what: str, named: Any) -> Iterator[str]:
    """A line on the tensors that are not finite themselves."""
    bad = [name for name, tensor in named if not torch.isfinite(tensor.float()).all()]
    if bad:
        yield f'  {what} that are not finite: {", ".join(bad[:5])}' + (', …' if bad[5:] else '')


def _boxes(data_batch: Any) -> Iterator[str]:
    """Boxes beside which the anchors' regression targets are extreme."""
    sizes = []
    for sample in _samples(data_batch):
        boxes = sample.get('gt_instances', {}).get('bboxes', ())
        boxes = getattr(boxes, 'tensor', boxes)
        if len(boxes):
            sizes.append((boxes[:, 2:4] - boxes[:, :2]).reshape(-1))
    if sizes:
        found = torch.cat(sizes)
        yield (
            f'  sides of the boxes: {float(found.min()):.3g} to {float(found.max()):.3g} pixels; '
            'far from the anchors (anchor_generator), or 0, they make a loss explode'
        )
