"""Skip training steps whose loss or gradients are not finite, and stop after too many."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_

from effnet_dense.engine.hooks.diagnosis import diagnose, image_paths, not_finite_parts
from effnet_dense.registry import HOOKS
from effnet_dense.utils.wrappers import unwrap_model

LOSS = 'the loss is not finite'
PLAIN_STEPS = (OptimWrapper.step,)
"""Methods that clip gradients, then call the optimizer's, and nothing else."""


@HOOKS.register_module()
class FiniteHook(Hook):
    """Skip steps whose loss, or gradients, are NaN or infinite.

    A skipped step changes no weight, no optimizer state and no buffer (batch norm's statistics),
    on any process: all of them skip it. Averaged weights (EMA) count the unchanged ones once more,
    and schedules advance. Gradients accumulated with it are dropped. If a gradient scaler handles
    infinite gradients (float16), they are left to it and not counted; the loss is still checked.

    Args:
        patience: Consecutive skipped steps that end the training.
    """

    priority = 'VERY_HIGH'

    def __init__(self, patience: int = 5) -> None:
        if patience < 1:
            raise ValueError(f'patience must be at least 1, got {patience}')
        self.patience = patience
        self.skipped = 0
        self.fault = ''
        self.norm = math.nan
        self.last_norm = math.nan
        self._buffers: list[Tensor] = []
        self._saved: list[Tensor] = []

    def before_train(self, runner: Runner) -> None:
        """Replace the optimizer wrapper's `update_params`."""
        if type(runner.optim_wrapper).update_params is not OptimWrapper.update_params:
            return  # a wrapper with its own method, such as the one for several optimizers
        self._buffers = list(unwrap_model(runner.model).buffers())
        self._saved = [buffer.clone() for buffer in self._buffers]
        runner.optim_wrapper.update_params = self._checked_update(runner.optim_wrapper)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Save the buffers, which the forward pass changes."""
        _copy(self._saved, self._buffers)
        self.fault = ''

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Restore the buffers after a skipped step, and log it.

        Raises:
            FloatingPointError: Too many consecutive steps were skipped; the message names possible
                causes.
        """
        if not self.fault:
            self.skipped, self.last_norm = 0, self.norm
            return
        _copy(self._buffers, self._saved)
        self.skipped += 1
        line = (
            f'iteration {runner.iter + 1}: {self.fault}{not_finite_parts(outputs)}, the step is '
            f'skipped ({self.skipped} in a row); images: {", ".join(image_paths(data_batch))}'
        )
        if self.skipped < self.patience:
            runner.logger.warning(line)
            return
        raise FloatingPointError('\n'.join([line, *diagnose(runner, data_batch, self.last_norm)]))

    def _checked_update(self, wrapper: OptimWrapper) -> Any:
        """Return `OptimWrapper.update_params` with checks of the loss and of the gradients.

        The host waits once for the device: for both checks, and for the norm by which gradients
        are clipped and which is logged.
        """

        def update_params(
            loss: Tensor,
            step_kwargs: dict[str, Any] | None = None,
            zero_kwargs: dict[str, Any] | None = None,
        ) -> None:
            zero = zero_kwargs or {}
            finite = _on_all_processes(torch.isfinite(loss.detach()).all())
            wrapper.backward(wrapper.scale_loss(loss))
            if wrapper.should_update() and not _scales_losses(wrapper):
                self._step(wrapper, finite, step_kwargs or {})
            elif not bool(finite):
                self.fault = LOSS
            elif not wrapper.should_update():
                return
            else:  # the scaler checks the gradients
                wrapper.step(**(step_kwargs or {}))
            wrapper.zero_grad(**zero)

        return update_params

    def _step(self, wrapper: OptimWrapper, finite: Tensor, step_kwargs: dict[str, Any]) -> None:
        """Update the weights, unless the loss or the gradients are not finite.

        Gradients are the same on all processes, so of them nothing is exchanged.
        """
        parameters = [p for p in _parameters(wrapper) if p.requires_grad and p.grad is not None]
        gradients = [p.grad for p in parameters if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients) if gradients else finite.new_zeros(())
        is_finite, self.norm = torch.stack([finite.to(norm), norm]).tolist()
        if not is_finite:
            self.fault = LOSS
        elif not math.isfinite(self.norm):
            self.fault = 'the gradients are not finite'
        elif gradients and _clips_by_norm(wrapper):
            clip_grads_with_norm_(parameters, wrapper.clip_grad_kwargs['max_norm'], norm)
            wrapper.message_hub.update_scalar(f'train/{wrapper.grad_name}', self.norm)
            wrapper.optimizer.step(**step_kwargs)
        else:
            wrapper.step(**step_kwargs)


def _clips_by_norm(wrapper: OptimWrapper) -> bool:
    """Whether gradients are clipped by their 2-norm, which is known, and by nothing else."""
    kwargs = wrapper.clip_grad_kwargs
    return (
        bool(kwargs)
        and wrapper.clip_func is torch.nn.utils.clip_grad_norm_
        and set(kwargs) <= {'max_norm', 'norm_type'}
        and kwargs.get('norm_type', 2) == 2
        and type(wrapper)._clip_grad is OptimWrapper._clip_grad
        and type(wrapper).step in PLAIN_STEPS
    )


def _scales_losses(wrapper: OptimWrapper) -> bool:
    """Whether a wrapper has a gradient scaler, which is on: for bfloat16 it is off."""
    scaler = getattr(wrapper, 'loss_scaler', None)
    return scaler is not None and bool(getattr(scaler, 'is_enabled', lambda: True)())


def _on_all_processes(condition: Tensor) -> Tensor:
    """Return whether a condition holds on all processes, without waiting for the device."""
    if get_world_size() > 1:
        condition = condition.float()
        all_reduce(condition, op='min')
    return condition


def _copy(to: Sequence[Tensor], source: Sequence[Tensor]) -> None:
    """Copy tensors, grouped by dtype and device, for which `_foreach_copy_` is one kernel."""
    with torch.no_grad():
        for kind in {(tensor.dtype, tensor.device) for tensor in to}:
            pairs = [p for p in zip(to, source, strict=True) if (p[0].dtype, p[0].device) == kind]
            torch._foreach_copy_([a for a, _ in pairs], [b for _, b in pairs])


def _parameters(wrapper: OptimWrapper) -> Iterator[Tensor]:
    for group in wrapper.optimizer.param_groups:
        yield from group['params']
