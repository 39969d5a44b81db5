"""The second forward pass of a segment, layer by layer, and the gradients from it.

For common layers the gradients are written out, with the operators that autograd itself calls, so
that they are bit-identical. Any other layer gets its own autograd graph.

Shapes: N images, C channels, H × W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from effnet_dense.lean.batch_norm import apply_statistics
from effnet_dense.lean.gated import GatedProjection, pixel_linear
from effnet_dense.models.layers import (
    Conv2dSame,
    DepthwiseConv2d,
    SqueezeExcite,
    channel_means,
)
from effnet_dense.ops.autocast import cast_operands
from effnet_dense.ops.depthwise import depthwise_gradients, fast_geometry
from effnet_dense.ops.fused_norm import norm_silu, norm_silu_backward, supports_gradient
from effnet_dense.ops.gated_conv import gated_gradients
from effnet_dense.utils.modules import is_exactly

# Exact types: a subclass may compute something else.
CONVOLUTIONS = (nn.Conv2d, Conv2dSame, DepthwiseConv2d)

# These layers return a new tensor as their input's gradient, which may be overwritten.
FRESH = (*CONVOLUTIONS, SqueezeExcite, GatedProjection)

Parameters = dict[str, Tensor]
Needs = Sequence[bool]  # which inputs or parameters require a gradient
Gradients = tuple[list[Tensor | None], list[Tensor | None]]  # of the inputs, of the parameters

aten = torch.ops.aten
# By activation: gradient of the output, input → gradient of the input.
ACTIVATIONS: dict[type, tuple[Any, tuple[float, ...]]] = {
    nn.SiLU: (aten.silu_backward, ()),
    nn.ReLU: (aten.threshold_backward, (0.0,)),
    nn.ReLU6: (aten.hardtanh_backward, (0.0, 6.0)),
}


def is_plain_convolution(module: Any) -> bool:
    """Whether this is exactly a convolution that pads with a fixed number of zeros."""
    if not is_exactly(module, *CONVOLUTIONS):
        return False
    return module.padding_mode == 'zeros' and not isinstance(module.padding, str)


def call(module: Any, parameters: Parameters, *inputs: Tensor) -> Tensor:
    """Run a module with `parameters` instead of its own."""
    if is_plain_convolution(module):  # functional_call takes as long as a small convolution
        return module._conv_forward(*inputs, parameters['weight'], parameters.get('bias'))
    return functional_call(module, parameters, inputs) if parameters else module(*inputs)


class Step:
    """A layer in the second pass.

    Attributes:
        out: The next layer's input (N, C, H, W).
    """

    out: Tensor

    def backward(self, gradient: Tensor) -> Gradients:
        """Return the gradients of inputs and parameters, None if not needed."""
        raise NotImplementedError


class NormStep(Step):
    """A batch norm in training, with the batch's mean and 1 ÷ σ given."""

    def __init__(
        self,
        x: Tensor,
        parameters: Parameters,
        statistics: tuple[Tensor, Tensor],
        eps: float,
        x_needed: bool,
        params_needed: Needs,
    ) -> None:
        self.x, self.parameters, self.statistics, self.eps = x, parameters, statistics, eps
        self.params_needed = dict(zip(parameters, params_needed, strict=True))
        self.x_needed = x_needed
        self.out = self._run()

    def _run(self) -> Tensor:
        weight, bias = self.parameters.get('weight'), self.parameters.get('bias')
        return apply_statistics(self.x, weight, bias, *self.statistics)

    def backward(self, gradient: Tensor) -> Gradients:
        weight_needed, bias_needed = (self.params_needed.get(n, False) for n in ('weight', 'bias'))
        mask = [self.x_needed, weight_needed, bias_needed]
        weight = self.parameters.get('weight')
        to_x, to_weight, to_bias = aten.native_batch_norm_backward(
            gradient, self.x, weight, None, None, *self.statistics, True, self.eps, mask
        )
        gradients = dict(weight=to_weight, bias=to_bias)
        return [to_x if mask[0] else None], [
            gradients[name] if needed else None for name, needed in self.params_needed.items()
        ]


class NormSiluStep(NormStep):
    """A batch norm in training and the SiLU after it, if `fused_norm.supports` them.

    With `fresh` the output's gradient may be overwritten.
    """

    def __init__(self, *args: Any, fresh: bool) -> None:
        super().__init__(*args)
        self.fresh = fresh

    def _run(self) -> Tensor:
        return norm_silu(
            self.x, *self.statistics, self.parameters['weight'], self.parameters['bias']
        )

    def backward(self, gradient: Tensor) -> Gradients:
        if not supports_gradient(gradient):
            return super().backward(aten.silu_backward(gradient, super()._run()))
        to_x = gradient if self.fresh else torch.empty_like(gradient)
        parameters = self.parameters['weight'], self.parameters['bias']
        to_weight, to_bias = norm_silu_backward(
            gradient, self.x, *self.statistics, *parameters, to_x
        )
        gradients = dict(weight=to_weight, bias=to_bias)
        return [to_x if self.x_needed else None], [
            gradients[name] if needed else None for name, needed in self.params_needed.items()
        ]


class ActivationStep(Step):
    """One of `ACTIVATIONS`; with `fresh` the output's gradient may be overwritten."""

    def __init__(self, module: nn.Module, x: Tensor, fresh: bool) -> None:
        self.x, self.fresh = x, fresh
        self.operator, self.arguments = ACTIVATIONS[type(module)]
        self.out = _out_of_place(module)(x)

    def backward(self, gradient: Tensor) -> Gradients:
        if self.fresh:
            self.operator.grad_input(gradient, self.x, *self.arguments, grad_input=gradient)
            return [gradient], []
        return [self.operator(gradient, self.x, *self.arguments)], []


def _out_of_place(module: nn.Module) -> Callable[[Tensor], Tensor]:
    return {nn.SiLU: F.silu, nn.ReLU: F.relu, nn.ReLU6: F.relu6}[type(module)]


class ConvolutionStep(Step):
    """A convolution; if `last` in a segment, its output is not computed."""

    def __init__(
        self,
        conv: Any,
        x: Tensor,
        parameters: Parameters,
        x_needed: bool,
        params_needed: Needs,
        last: bool,
    ) -> None:
        self.conv = conv
        self.mask = (x_needed, params_needed[0], params_needed[-1] and 'bias' in parameters)
        self.dtypes, self.count = (x.dtype, parameters['weight'].dtype), len(parameters)
        self.bias = [parameters['bias'].numel()] if 'bias' in parameters else None
        if not last:
            self.out = conv._conv_forward(x, parameters['weight'], parameters.get('bias'))
        self.size = x.shape[2:]
        x, self.weight = cast_operands(x, parameters['weight'])
        self.geometry = None
        if isinstance(conv, DepthwiseConv2d):
            padding = conv.padding_for(x)
            self.geometry = fast_geometry(x, conv.weight, conv.stride, padding, conv.dilation)
        if self.geometry is None and isinstance(conv, Conv2dSame):
            x = conv.pad(x)
        self.x = x

    def backward(self, gradient: Tensor) -> Gradients:
        conv = self.conv
        if self.geometry is not None:
            gradients = depthwise_gradients(gradient, self.x, self.weight, self.geometry, self.mask)
        else:
            gradients = aten.convolution_backward(
                *(gradient, self.x, self.weight, self.bias),
                *(conv.stride, conv.padding, conv.dilation, False, [0, 0], conv.groups, self.mask),
            )
        # oneDNN returns weight and bias gradients together, needed or not.
        to_x, *to_parameters = [
            grad if needed else None for grad, needed in zip(gradients, self.mask, strict=True)
        ]
        input_dtype, parameter_dtype = self.dtypes
        return (
            [None if to_x is None else self._unpadded(to_x).to(input_dtype)],
            [
                None if grad is None else grad.to(parameter_dtype)
                for grad in to_parameters[: self.count]
            ],
        )

    def _unpadded(self, x: Tensor) -> Tensor:
        height, width = (
            have - size for have, size in zip(self.x.shape[2:], self.size, strict=True)
        )
        if not height and not width:
            return x
        top, left = height // 2, width // 2
        return F.pad(x, (-left, left - width, -top, top - height))


class GraphStep(Step):
    """Any other layer, by autograd: it saves what it needs until the step's backward pass."""

    def __init__(
        self,
        run: Callable[..., Tensor],
        inputs: Sequence[Tensor],
        parameters: Parameters,
        inputs_needed: Needs,
        params_needed: Needs,
    ) -> None:
        leaves = [
            tensor.detach().requires_grad_(need)
            for tensor, need in zip(
                (*inputs, *parameters.values()), (*inputs_needed, *params_needed), strict=True
            )
        ]
        self.leaves, self.inputs = leaves, len(inputs)
        with torch.enable_grad():
            self.result = run(
                dict(zip(parameters, leaves[len(inputs) :], strict=True)), *leaves[: len(inputs)]
            )
        self.out = self.result.detach()

    def backward(self, gradient: Tensor) -> Gradients:
        required = [leaf for leaf in self.leaves if leaf.requires_grad]
        found = iter(torch.autograd.grad(self.result, required, gradient, allow_unused=True))
        gradients = [next(found) if leaf.requires_grad else None for leaf in self.leaves]
        return gradients[: self.inputs], gradients[self.inputs :]


def run_gated(module: GatedProjection, parameters: Parameters, x: Tensor) -> tuple[Tensor, Tensor]:
    """Run the first pass: return the output (N, D, H, W) and the channels' means (N, C, 1, 1)."""
    means = channel_means(x)
    weight, bias = parameters['conv.weight'], parameters.get('conv.bias')
    return F.conv2d(x * module.gate(means, parameters), weight, bias), means


class GateStep(Step):
    """The channels' gates from their means, both (N, C, 1, 1); five times as fast as autograd."""

    def __init__(self, module: GatedProjection, means: Tensor, parameters: Parameters) -> None:
        self.means, self.parameters = means.flatten(1), parameters
        self.squeezed = pixel_linear(self.means, parameters, 'squeeze')
        self.act: Step | None = None
        if module.act is not None:
            self.act = module_step(module.act, [self.squeezed], {}, [True], [], module.excite)
            self.squeezed = self.act.out
        self.out = pixel_linear(self.squeezed, parameters, 'excite').sigmoid()[:, :, None, None]

    def backward(self, gradient: Tensor) -> Gradients:
        """Return all gradients, which takes less time than finding out which are needed."""
        gradient = aten.sigmoid_backward(gradient.flatten(1), self.out.flatten(1))
        gradients = self._own_gradients(gradient, self.squeezed, 'excite')
        through: Tensor | None = gradient @ self.parameters['excite.weight'].flatten(1)
        if self.act is not None and through is not None:
            (through,), _ = self.act.backward(through)
        assert through is not None  # its step was created with inputs_needed=[True]
        gradients |= self._own_gradients(through, self.means, 'squeeze')
        to_means = through @ self.parameters['squeeze.weight'].flatten(1)
        return [to_means[:, :, None, None]], [gradients[name] for name in self.parameters]

    def _own_gradients(self, gradient: Tensor, x: Tensor, name: str) -> Parameters:
        weight = self.parameters[f'{name}.weight']
        to_weight = (gradient.t() @ x).view_as(weight)
        return {f'{name}.weight': to_weight, f'{name}.bias': gradient.sum(0)}


class GatedStep(Step):
    """Attention and projection; if `last` in a segment, their output is not computed.

    Args:
        means: The channels' means (N, C, 1, 1).
    """

    def __init__(
        self,
        module: GatedProjection,
        x: Tensor,
        parameters: Parameters,
        means: Tensor,
        x_needed: bool,
        params_needed: Needs,
        last: bool,
    ) -> None:
        self.x, self.weight, self.x_needed = x, parameters['conv.weight'], x_needed
        needed_by_name = dict(zip(parameters, params_needed, strict=True))
        inner = {
            name: tensor for name, tensor in parameters.items() if not name.startswith('conv.')
        }
        self.params_needed = [needed_by_name.pop(name) for name in inner]
        self.gate = GateStep(module, means, inner)
        self.to_weight, self.to_bias = (
            needed_by_name['conv.weight'],
            needed_by_name.get('conv.bias'),
        )
        if not last:
            self.out = F.conv2d(x * self.gate.out, self.weight, parameters.get('conv.bias'))

    def backward(self, gradient: Tensor) -> Gradients:
        through = self.x_needed or any(self.params_needed)
        mask = (self.x_needed, through, self.to_weight, bool(self.to_bias))
        to_x, to_gate, *rest = gated_gradients(gradient, self.x, self.gate.out, self.weight, mask)
        inner: list[Tensor | None] = [None for _ in self.params_needed]
        if to_gate is not None:
            (to_means,), gradients = self.gate.backward(to_gate)
            inner = [
                grad if needed else None
                for grad, needed in zip(gradients, self.params_needed, strict=True)
            ]
            if to_x is not None and to_means is not None:
                to_x.add_(to_means / (self.x.shape[2] * self.x.shape[3]))
        return [to_x], [*inner, *rest[: 1 if self.to_bias is None else 2]]


def module_step(
    module: Any,
    inputs: Sequence[Tensor],
    parameters: Parameters,
    inputs_needed: Needs,
    params_needed: Needs,
    following: nn.Module | None,
) -> Step:
    """Create the step of a layer that is not a batch norm.

    Args:
        inputs: (N, C, H, W) each.
        parameters: The layer's parameters.
        inputs_needed: Which inputs' gradients are needed.
        params_needed: Which parameters' gradients are needed.
        following: The next layer; None if the output is not needed.
    """
    if is_plain_convolution(module):
        return ConvolutionStep(
            module, inputs[0], parameters, inputs_needed[0], params_needed, following is None
        )
    if is_exactly(module, *ACTIVATIONS):
        return ActivationStep(module, inputs[0], type(following) in FRESH)

    def run(parameters: Parameters, *leaves: Tensor) -> Tensor:
        # A leaf of the graph must not be overwritten.
        first = leaves[0].clone() if getattr(module, 'inplace', False) else leaves[0]
        return call(module, parameters, first, *leaves[1:])

    return GraphStep(run, inputs, parameters, inputs_needed, params_needed)
