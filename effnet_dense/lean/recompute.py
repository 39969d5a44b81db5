"""The autograd function of lean training: a segment saves its input and runs again in backward.

Gradients and running statistics are the same as without it.

Shapes: N images, C channels, H × W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from effnet_dense.lean.backward import (
    FRESH,
    GatedStep,
    GraphStep,
    NormSiluStep,
    NormStep,
    Parameters,
    Step,
    call,
    module_step,
    run_gated,
)
from effnet_dense.lean.batch_norm import (
    batch_statistics,
    group_of,
    normalise,
    normalise_again,
    supports_recomputation,
)
from effnet_dense.lean.gated import GatedProjection
from effnet_dense.ops.autocast import current_autocast
from effnet_dense.ops.fused_norm import norm_silu, supports
from effnet_dense.utils.modules import is_exactly


def recomputed(modules: Sequence[nn.Module], *inputs: Tensor) -> Tensor:
    """Run modules one after the other, saving the inputs and each batch norm's statistics.

    The backward pass recomputes the rest, except the output of a convolution at the end, which it
    does not need. Second derivatives are not supported.

    Args:
        modules: The first one takes all inputs and does not change them. None is random, and none
            has buffers to update, except batch norms that `supports_recomputation` accepts.
        inputs: (N, C, H, W) each.
    """
    layers: list[_Layer] = []
    tensors: list[Tensor] = []
    for module in modules:
        last = layers[-1] if layers else None
        if last and last.is_norm and last.act is None and is_exactly(module, nn.SiLU):
            last.act = module
            continue
        parameters = _parameters(module)
        layers.append(
            _Layer(module, list(parameters), supports_recomputation(module), module.training)
        )
        tensors += parameters.values()
    return _Recomputed.apply(layers, len(inputs), *inputs, *tensors)


def _parameters(module: nn.Module) -> Parameters:
    """Return parameters by name; for leaves, which most modules are, `named_parameters` is slow."""
    if module._modules:
        return dict(module.named_parameters())
    return {name: tensor for name, tensor in module._parameters.items() if tensor is not None}


@dataclass
class _Layer:
    """A module, and its mode in the first pass, which may change before the second.

    Attributes:
        names: Its parameters' names.
        act: The SiLU after a norm.
    """

    module: Any
    names: list[str]
    is_norm: bool
    training: bool
    act: nn.Module | None = None

    def is_fused(self, x: Tensor, parameters: Parameters) -> bool:
        """Whether norm and activation run as one operator."""
        if self.act is None or not self.training or group_of(self.module) is not None:
            return False
        return supports(x, parameters.get('weight'), parameters.get('bias'))


class _Recomputed(Function):
    """Layers, applied to a flat list of tensors: their inputs, then their parameters."""

    @staticmethod
    def forward(ctx: Any, layers: list[_Layer], inputs: int, *tensors: Tensor) -> Tensor:
        # Detached, so that autocast does not cache casts without a gradient, which plain layers
        # with the same weights would then use (torch 2.14 does not, but it is not documented).
        detached = [tensor.detach() for tensor in tensors]
        values, rest = detached[:inputs], iter(detached[inputs:])
        saved: list[Tensor] = []
        for layer in layers:
            parameters = dict(zip(layer.names, rest, strict=False))
            if layer.is_norm:
                x, *statistics = _normalise(layer, values[0], parameters)
                saved += statistics
            elif isinstance(layer.module, GatedProjection):
                x, means = run_gated(layer.module, parameters, values[0])
                saved.append(means)
            else:
                x = call(layer.module, parameters, *values)
            values = [x]
        ctx.layers, ctx.inputs, ctx.count = layers, inputs, len(tensors)
        ctx.autocast = current_autocast(x.device.type)
        ctx.save_for_backward(*tensors, *saved)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        saved, count, inputs = ctx.saved_tensors, ctx.count, ctx.inputs
        with ctx.autocast():
            steps = _run_again(
                ctx.layers, saved[:count], saved[count:], inputs, ctx.needs_input_grad[2:]
            )
        to_inputs: list[Tensor | None] = [gradient]
        to_parameters: list[Tensor | None] = []
        while steps and to_inputs[0] is not None:
            # A step and what it saved are released together.
            to_inputs, to_own = steps.pop().backward(to_inputs[0])
            to_parameters = [*to_own, *to_parameters]
        # The gradients of the remaining steps are not needed.
        to_inputs = [None for _ in range(inputs)] if steps else to_inputs
        missing = [None for _ in range(count - inputs - len(to_parameters))]
        return None, None, *to_inputs, *missing, *to_parameters


def _run_again(
    layers: Sequence[_Layer],
    tensors: Sequence[Tensor],
    results: Sequence[Tensor],
    inputs: int,
    needed: Sequence[bool],
) -> list[Step]:
    """Run the second pass.

    Args:
        tensors: The inputs, then the layers' parameters.
        results: Saved by the first pass, in its order.
        needed: Which of `tensors` need a gradient.
    """
    values, inputs_needed = tensors[:inputs], needed[:inputs]
    rest, flags, saved = iter(tensors[inputs:]), iter(needed[inputs:]), iter(results)
    steps: list[Step] = []
    for layer, following in zip(layers, [*layers[1:], None], strict=True):
        parameters = dict(zip(layer.names, rest, strict=False))
        params_needed = [next(flags) for _ in parameters]
        module = None if following is None else following.module
        x, x_needed = values[0], inputs_needed[0]
        if layer.is_norm:
            statistics = next(saved), next(saved)
            steps += _norm_steps(layer, x, parameters, statistics, x_needed, params_needed, module)
        elif isinstance(layer.module, GatedProjection):
            means, last = next(saved), following is None
            steps.append(
                GatedStep(layer.module, x, parameters, means, x_needed, params_needed, last)
            )
        else:
            steps.append(
                module_step(layer.module, values, parameters, inputs_needed, params_needed, module)
            )
        if following is not None:
            values, inputs_needed = [steps[-1].out], [any((*inputs_needed, *params_needed))]
            del steps[-1].out
    return steps


def _normalise(layer: _Layer, x: Tensor, parameters: Parameters) -> tuple[Tensor, Tensor, Tensor]:
    """Run a norm and the activation after it; also return the statistics for the second pass."""
    norm, weight, bias = layer.module, parameters.get('weight'), parameters.get('bias')
    if layer.is_fused(x, parameters):
        mean, inverse = batch_statistics(norm, x)
        return norm_silu(x, mean, inverse, parameters['weight'], parameters['bias']), mean, inverse
    x, mean, spread = normalise(norm, layer.training, x, weight, bias)
    return x if layer.act is None else layer.act(x), mean, spread


def _norm_steps(
    layer: _Layer,
    x: Tensor,
    parameters: Parameters,
    statistics: tuple[Tensor, Tensor],
    x_needed: bool,
    params_needed: Sequence[bool],
    following: nn.Module | None,
) -> list[Step]:
    """Run a norm and the activation after it again, with the saved statistics."""
    norm, training = layer.module, layer.training
    if layer.is_fused(x, parameters):
        fresh = type(following) in FRESH
        return [
            NormSiluStep(x, parameters, statistics, norm.eps, x_needed, params_needed, fresh=fresh)
        ]
    step: Step
    if training and group_of(norm) is None:
        step = NormStep(x, parameters, statistics, norm.eps, x_needed, params_needed)
    else:

        def run(parameters: Parameters, x: Tensor) -> Tensor:
            weight, bias = parameters.get('weight'), parameters.get('bias')
            return normalise_again(norm, training, x, weight, bias, *statistics)

        step = GraphStep(run, [x], parameters, [x_needed], params_needed)
    if layer.act is None:
        return [step]
    inputs_needed = [x_needed or any(params_needed)]
    act = module_step(layer.act, [step.out], {}, inputs_needed, [], following)
    del step.out
    return [step, act]
