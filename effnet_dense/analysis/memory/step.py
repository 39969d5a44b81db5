"""The peak of a training step: forward, loss, backward, optimizer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper, build_optim_wrapper
from torch import Tensor, nn

from effnet_dense.analysis.memory.fakes import replace_tensors
from effnet_dense.analysis.memory.precision import GPUAutocast, autocast
from effnet_dense.analysis.memory.stand_ins import HostReads, StandIns
from effnet_dense.analysis.memory.tally import CUDA_BLOCK, Kind, Tally
from effnet_dense.data.config_walk import type_name
from effnet_dense.utils.config_errors import config_errors

# Of AmpOptimWrapper, which refuses to be without a GPU. Its loss scale is one number.
OF_AMP = ('type', 'dtype', 'loss_scale', 'use_fsdp')


def training_step(
    model: nn.Module,
    config: Config,
    make_batch: Callable[[], dict[str, Any]],
    precision: str,
    gpu: bool = True,
) -> Tally:
    """Run a step that is not the first one: the optimizer has its states.

    Args:
        model: In training mode, on the CPU; its tensors are replaced.
        config: Its optimizer, and its hooks, among which may be EMA.
        make_batch: Makes what the model's data preprocessor takes, images of the parameters' kind.
        precision: Of `PRECISIONS`.
        gpu: As a GPU would, with its allocator's blocks, its autocast and its optimizers' loops
            over all parameters at once; else as the CPU does.

    Returns:
        What was alive, and the peak.
    """
    tally = Tally(block=CUDA_BLOCK if gpu else 1)
    stand_ins = StandIns(tally)
    replace_tensors(model, stand_ins.fake)
    with stand_ins, HostReads(), GPUAutocast() if gpu else nullcontext():
        _count_model(model, tally)
        average = _average(model, config, tally)
        tally.kind = Kind.OPTIMIZER
        optimizer = _optimizer(model, config, gpu)
        _make_states(optimizer, tally)
        _name_gradients(model, tally)
        _step(model, optimizer, make_batch, autocast(precision), tally)
    del average
    return tally


def _count_model(model: nn.Module, tally: Tally) -> None:
    tally.see(list(model.parameters()))
    tally.kind = Kind.BUFFERS
    tally.see(list(model.buffers()))


def _average(model: nn.Module, config: Config, tally: Tally) -> list[Tensor]:
    """The copy of all weights and buffers that EMAHook keeps."""
    hooks = config.get('custom_hooks') or []
    if not any(type_name(hook) == 'EMAHook' for hook in hooks if isinstance(hook, dict)):
        return []
    tally.kind = Kind.AVERAGE
    return [torch.empty_like(t) for t in (*model.parameters(), *model.buffers())]


def _optimizer(model: nn.Module, config: Config, gpu: bool) -> OptimWrapper:
    settings = {k: v for k, v in config.optim_wrapper.items() if k not in OF_AMP}
    with config_errors('optim_wrapper'):
        wrapper = build_optim_wrapper(model, dict(settings, type='OptimWrapper'))
    for group in wrapper.optimizer.param_groups:
        # The default on a GPU.
        if gpu and group.get('foreach', True) is None and not group.get('fused'):
            group['foreach'] = True
    return wrapper


def _make_states(wrapper: OptimWrapper, tally: Tally) -> None:
    """Let the optimizer take a step; gradients stay where they are accumulated."""
    tally.kind = Kind.GRADIENTS
    for group in wrapper.optimizer.param_groups:
        for parameter in group['params']:
            parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    tally.kind = Kind.OPTIMIZER
    wrapper.optimizer.step()
    if wrapper._accumulative_counts == 1:
        wrapper.zero_grad()
    tally.forget_peak()


def _name_gradients(model: nn.Module, tally: Tally) -> None:
    def name(parameter: Tensor) -> None:
        tally.relabel([parameter.grad] if parameter.grad is not None else [], Kind.GRADIENTS)

    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.register_post_accumulate_grad_hook(name)


def _step(
    model: Any,
    wrapper: OptimWrapper,
    make_batch: Callable[[], dict[str, Any]],
    context: Any,
    tally: Tally,
) -> None:
    """As mmengine's `BaseModel.train_step`."""
    tally.kind = Kind.BATCH
    with context:
        data = model.data_preprocessor(make_batch(), True)
        tally.kind = Kind.ACTIVATIONS
        losses = _losses(model, data)
    total, _ = model.parse_losses(losses)
    tally.kind = Kind.BACKWARD
    wrapper.backward(wrapper.scale_loss(total))
    tally.kind = Kind.STEP
    wrapper.step()


def _losses(model: Any, data: dict[str, Any]) -> dict[str, Any]:
    try:
        return model(**data, mode='loss')
    except (AssertionError, AttributeError, RuntimeError, TypeError) as error:
        raise ValueError(
            f'the loss of {type(model).__name__} needs predictions with values, or more than '
            f'images and ground truth: {type(error).__name__}: {error}'
        ) from error
