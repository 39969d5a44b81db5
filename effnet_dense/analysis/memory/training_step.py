"""Run a training step on fake tensors: forward, loss, backward, optimizer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from mmengine import MessageHub
from mmengine.config import Config
from mmengine.optim import OptimWrapper, build_optim_wrapper
from torch import Tensor, nn

from effnet_dense.analysis.cuda_branches import cuda_branches
from effnet_dense.analysis.memory.byte_counter import CUDA_BLOCK, ByteCounter, Category
from effnet_dense.analysis.memory.fake_mode import MixedFakeMode, ZerosOnHost
from effnet_dense.analysis.memory.fake_model import replace_tensors
from effnet_dense.analysis.memory.precision import GPUAutocast, autocast
from effnet_dense.data.config_walk import type_name
from effnet_dense.utils.config_errors import config_errors

# Arguments of AmpOptimWrapper only, which requires a GPU. Its loss scale is a single number.
AMP_ARGUMENTS = ('type', 'dtype', 'loss_scale', 'use_fsdp')

LATE = 2**31
"""An epoch after all at which a head changes its loss."""


def run_training_step(
    model: nn.Module,
    config: Config,
    make_batch: Callable[[], dict[str, Any]],
    precision: str,
    gpu: bool = True,
) -> ByteCounter:
    """Run a step other than the first: the optimizer already has its states.

    Args:
        model: A model in training mode, on the CPU; its tensors are replaced.
        config: Defines the optimizer and the EMA hook.
        make_batch: Makes the input of the model's data preprocessor; called after the model's
            tensors were replaced.
        precision: One of `PRECISIONS`.
        gpu: Reproduce a GPU's allocator blocks, autocast, operators, and optimizer loops over all
            parameters at once; else the CPU's.

    Returns:
        The peak and its categories.
    """
    counter = ByteCounter(block=CUDA_BLOCK if gpu else 1)
    mode = MixedFakeMode(counter)
    replace_tensors(model, mode.make_fake)
    with mode, ZerosOnHost(), _on_gpu() if gpu else nullcontext():
        _track_model(model, counter)
        average = _make_average(model, config, counter)
        counter.category = Category.OPTIMIZER
        optimizer = _build_optimizer(model, config, gpu)
        _make_optimizer_states(optimizer, counter)
        _relabel_gradients(model, counter)
        _step(model, optimizer, make_batch, autocast(precision), counter)
    del average
    return counter


@contextmanager
def _on_gpu() -> Iterator[None]:
    with GPUAutocast(), cuda_branches(triton='cpu'):
        yield


def _track_model(model: nn.Module, counter: ByteCounter) -> None:
    counter.track(list(model.parameters()))
    counter.category = Category.BUFFERS
    counter.track(list(model.buffers()))


def _make_average(model: nn.Module, config: Config, counter: ByteCounter) -> list[Tensor]:
    """Return the copies of all weights and buffers that EMAHook keeps."""
    hooks = config.get('custom_hooks') or []
    if not any(type_name(hook) == 'EMAHook' for hook in hooks if isinstance(hook, dict)):
        return []
    counter.category = Category.AVERAGE
    return [torch.empty_like(t) for t in (*model.parameters(), *model.buffers())]


def _build_optimizer(model: nn.Module, config: Config, gpu: bool) -> OptimWrapper:
    arguments = {k: v for k, v in config.optim_wrapper.items() if k not in AMP_ARGUMENTS}
    with config_errors('optim_wrapper'):
        wrapper = build_optim_wrapper(model, dict(arguments, type='OptimWrapper'))
    for group in wrapper.optimizer.param_groups:
        # PyTorch's default on a GPU.
        if gpu and group.get('foreach', True) is None and not group.get('fused'):
            group['foreach'] = True
    return wrapper


def _make_optimizer_states(wrapper: OptimWrapper, counter: ByteCounter) -> None:
    """Take an optimizer step; keep its gradients only if they are accumulated."""
    counter.category = Category.GRADIENTS
    for group in wrapper.optimizer.param_groups:
        for parameter in group['params']:
            parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    counter.category = Category.OPTIMIZER
    wrapper.optimizer.step()
    if wrapper._accumulative_counts == 1:
        wrapper.zero_grad()
    counter.reset_peak()


def _relabel_gradients(model: nn.Module, counter: ByteCounter) -> None:
    """Count gradients as such once they are accumulated, not as temporary tensors."""

    def relabel(parameter: Tensor) -> None:
        gradients = [parameter.grad] if parameter.grad is not None else []
        counter.relabel(gradients, Category.GRADIENTS)

    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.register_post_accumulate_grad_hook(relabel)


def _step(
    model: Any,
    wrapper: OptimWrapper,
    make_batch: Callable[[], dict[str, Any]],
    context: Any,
    counter: ByteCounter,
) -> None:
    """Do what mmengine's `BaseModel.train_step` does."""
    counter.category = Category.BATCH
    with context:
        data = model.data_preprocessor(make_batch(), True)
        counter.category = Category.ACTIVATIONS
        losses = _losses(model, data)
    total, _ = model.parse_losses(losses)
    counter.category = Category.BACKWARD
    wrapper.backward(wrapper.scale_loss(total))
    counter.category = Category.STEP
    wrapper.step()


def _losses(model: Any, data: dict[str, Any]) -> dict[str, Any]:
    try:
        with _late_epoch():
            return model(**data, mode='loss')
    except (AssertionError, AttributeError, RuntimeError, TypeError) as error:
        part = getattr(model, 'decode_head', model)  # of a segmentor, whose own class says little
        raise ValueError(
            f'the loss of {type(part).__name__} needs predictions with values, or more than '
            f'images and ground truth: {type(error).__name__}: {error}'
        ) from error


@contextmanager
def _late_epoch() -> Iterator[None]:
    """Let heads whose loss depends on the epoch, such as TOOD's, use that of most epochs."""
    hub = MessageHub.get_current_instance()
    before = hub.get_info('epoch')
    hub.update_info('epoch', LATE)
    try:
        yield
    finally:
        hub.update_info('epoch', before)
