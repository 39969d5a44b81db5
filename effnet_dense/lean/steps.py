"""The second pass of lean training, module by module: an output, and later the gradients.

What most networks consist of has its gradients written down here, by the operators that autograd
calls for them, so that the bits are its own. Anything else gets a graph of its own.

Letters: N images, C channels, H × W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from effnet_dense.lean.batch_statistics import scale
from effnet_dense.lean.gated import GatedProjection, as_linear, gated_gradients
from effnet_dense.models.layers import (
    Conv2dSame,
    DepthwiseConv2d,
    SqueezeExcite,
    channel_means,
)
from effnet_dense.ops.autocast import as_autocast_does
from effnet_dense.ops.depthwise import depthwise_gradients
from effnet_dense.ops.fused_norm import fits_backward, norm_silu, norm_silu_backward

# Exact types: what derives from them may compute something else.
CONVOLUTIONS = (nn.Conv2d, Conv2dSame, DepthwiseConv2d)

# These write the gradient of their input into memory of its own.
FRESH = (*CONVOLUTIONS, SqueezeExcite, GatedProjection)

Parameters = dict[str, Tensor]
Needs = Sequence[bool]
Gradients = tuple[list[Tensor | None], list[Tensor | None]]  # of the inputs, of the parameters

aten = torch.ops.aten
# By activation: gradient of the output, input → gradient of the input.
ACTIVATIONS: dict[type, tuple[Any, tuple[float, ...]]] = {
    nn.SiLU: (aten.silu_backward, ()),
    nn.ReLU: (aten.threshold_backward, (0.0,)),
    nn.ReLU6: (aten.hardtanh_backward, (0.0, 6.0)),
}


def is_plain(module: nn.Module, *classes: type[nn.Module]) -> bool:
    """Whether this is one of `classes` and nobody has put another `forward` into it."""
    return type(module) in classes and 'forward' not in vars(module)


def is_plain_convolution(module: Any) -> bool:
    """Whether this is a convolution and nothing else, with a number of zeros around the picture."""
    if not is_plain(module, *CONVOLUTIONS):
        return False
    return module.padding_mode == 'zeros' and not isinstance(module.padding, str)


def call(module: Any, own: Parameters, *inputs: Tensor) -> Tensor:
    """Run a module with `own` in the place of its parameters."""
    if is_plain_convolution(module):  # functional_call takes as long as a small convolution
        return module._conv_forward(*inputs, own['weight'], own.get('bias'))
    return functional_call(module, own, inputs) if own else module(*inputs)


class Step:
    """A module in the second pass.

    Attributes:
        out: What the next module gets (N, C, H, W).
    """

    out: Tensor

    def backward(self, gradient: Tensor) -> Gradients:
        """From the output's gradient to those of inputs and parameters, None where not needed."""
        raise NotImplementedError


class NormStep(Step):
    """A batch norm in training, with the batch's mean and 1 ÷ σ at hand."""

    def __init__(
        self,
        x: Tensor,
        own: Parameters,
        statistics: tuple[Tensor, Tensor],
        eps: float,
        needed: bool,
        asked: Needs,
    ) -> None:
        self.x, self.own, self.statistics, self.eps = x, own, statistics, eps
        self.asked = dict(zip(own, asked, strict=True))
        self.needed = needed
        self.out = self._run()

    def _run(self) -> Tensor:
        return scale(self.x, self.own.get('weight'), self.own.get('bias'), *self.statistics)

    def backward(self, gradient: Tensor) -> Gradients:
        mask = [self.needed, self.asked.get('weight', False), self.asked.get('bias', False)]
        weight = self.own.get('weight')
        to_x, to_weight, to_bias = aten.native_batch_norm_backward(
            gradient, self.x, weight, None, None, *self.statistics, True, self.eps, mask
        )
        found = dict(weight=to_weight, bias=to_bias)
        return [to_x if mask[0] else None], [
            found[name] if asked else None for name, asked in self.asked.items()
        ]


class NormSiluStep(NormStep):
    """A batch norm in training and the SiLU behind it, of what `fused_norm.fits`.

    `fresh` where the output's gradient is nobody else's.
    """

    def __init__(self, *args: Any, fresh: bool) -> None:
        super().__init__(*args)
        self.fresh = fresh

    def _run(self) -> Tensor:
        return norm_silu(self.x, *self.statistics, self.own['weight'], self.own['bias'])

    def backward(self, gradient: Tensor) -> Gradients:
        if not fits_backward(gradient):
            return super().backward(aten.silu_backward(gradient, super()._run()))
        to_x = gradient if self.fresh else torch.empty_like(gradient)
        own = self.own['weight'], self.own['bias']
        to_weight, to_bias = norm_silu_backward(gradient, self.x, *self.statistics, *own, to_x)
        found = dict(weight=to_weight, bias=to_bias)
        return [to_x if self.needed else None], [
            found[name] if asked else None for name, asked in self.asked.items()
        ]


class ActivationStep(Step):
    """One of `ACTIVATIONS`; `fresh` where the output's gradient is nobody else's."""

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
    """A convolution; without an output where nobody needs it."""

    def __init__(
        self, conv: Any, x: Tensor, own: Parameters, needed: bool, asked: Needs, last: bool
    ) -> None:
        self.conv, self.mask = conv, (needed, asked[0], asked[-1] and 'bias' in own)
        self.dtypes, self.parameters = (x.dtype, own['weight'].dtype), len(own)
        self.bias = [own['bias'].numel()] if 'bias' in own else None
        if not last:
            self.out = conv._conv_forward(x, own['weight'], own.get('bias'))
        self.size = x.shape[2:]
        x, self.weight = as_autocast_does(x, own['weight'])
        self.sides = None
        if isinstance(conv, DepthwiseConv2d) and conv.is_quick(x):
            self.sides = conv.sides(x)
        elif isinstance(conv, Conv2dSame):
            x = conv.pad(x)
        self.x = x

    def backward(self, gradient: Tensor) -> Gradients:
        conv = self.conv
        if self.sides is not None:
            found = depthwise_gradients(gradient, self.x, self.weight, self.sides, self.mask)
        else:
            found = aten.convolution_backward(
                *(gradient, self.x, self.weight, self.bias),
                *(conv.stride, conv.padding, conv.dilation, False, [0, 0], conv.groups, self.mask),
            )
        # oneDNN gives the weight's with the bias', asked or not.
        to_x, *own = [grad if asked else None for grad, asked in zip(found, self.mask, strict=True)]
        kind, own_kind = self.dtypes
        return (
            [None if to_x is None else self._unpadded(to_x).to(kind)],
            [None if grad is None else grad.to(own_kind) for grad in own[: self.parameters]],
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
    """Any module: autograd keeps what it likes, from here until the step's backward pass."""

    def __init__(
        self,
        run: Callable[..., Tensor],
        inputs: Sequence[Tensor],
        own: Parameters,
        needs: Needs,
        asked: Needs,
    ) -> None:
        leaves = [
            tensor.detach().requires_grad_(need)
            for tensor, need in zip((*inputs, *own.values()), (*needs, *asked), strict=True)
        ]
        self.leaves, self.inputs = leaves, len(inputs)
        with torch.enable_grad():
            self.result = run(
                dict(zip(own, leaves[len(inputs) :], strict=True)), *leaves[: len(inputs)]
            )
        self.out = self.result.detach()

    def backward(self, gradient: Tensor) -> Gradients:
        wanted = [leaf for leaf in self.leaves if leaf.requires_grad]
        found = iter(torch.autograd.grad(self.result, wanted, gradient, allow_unused=True))
        gradients = [next(found) if leaf.requires_grad else None for leaf in self.leaves]
        return gradients[: self.inputs], gradients[self.inputs :]


def gated(module: GatedProjection, own: Parameters, x: Tensor) -> tuple[Tensor, Tensor]:
    """The first pass: the output (N, D, H, W), and the channels' means (N, C, 1, 1)."""
    means = channel_means(x)
    return F.conv2d(x * module.gate(means, own), own['conv.weight'], own.get('conv.bias')), means


class GateStep(Step):
    """Channels' weights by their means, (N, C, 1, 1) both; autograd takes five times as long."""

    def __init__(self, module: GatedProjection, means: Tensor, own: Parameters) -> None:
        self.means, self.own = means.flatten(1), own
        self.squeezed = as_linear(self.means, own, 'squeeze')
        self.act: Step | None = None
        if module.act is not None:
            self.act = module_step(module.act, [self.squeezed], {}, [True], [], module.excite)
            self.squeezed = self.act.out
        self.out = as_linear(self.squeezed, own, 'excite').sigmoid()[:, :, None, None]

    def backward(self, gradient: Tensor) -> Gradients:
        """All of them: they take less time than the question which are needed."""
        gradient = aten.sigmoid_backward(gradient.flatten(1), self.out.flatten(1))
        found = self._own_gradients(gradient, self.squeezed, 'excite')
        through: Tensor | None = gradient @ self.own['excite.weight'].flatten(1)
        if self.act is not None and through is not None:
            (through,), _ = self.act.backward(through)
        assert through is not None  # the activation was told that it is needed
        found |= self._own_gradients(through, self.means, 'squeeze')
        to_means = through @ self.own['squeeze.weight'].flatten(1)
        return [to_means[:, :, None, None]], [found[name] for name in self.own]

    def _own_gradients(self, gradient: Tensor, x: Tensor, name: str) -> Parameters:
        weight = self.own[f'{name}.weight']
        to_weight = (gradient.t() @ x).view_as(weight)
        return {f'{name}.weight': to_weight, f'{name}.bias': gradient.sum(0)}


class GatedStep(Step):
    """Attention and projection; without an output where nobody needs it.

    Args:
        means: (N, C, 1, 1), of the channels.
    """

    def __init__(
        self,
        module: GatedProjection,
        x: Tensor,
        own: Parameters,
        means: Tensor,
        needed: bool,
        asked: Needs,
        last: bool,
    ) -> None:
        self.x, self.weight, self.needed = x, own['conv.weight'], needed
        named = dict(zip(own, asked, strict=True))
        inner = {name: tensor for name, tensor in own.items() if not name.startswith('conv.')}
        self.asked = [named.pop(name) for name in inner]
        self.gate = GateStep(module, means, inner)
        self.to_weight, self.to_bias = named['conv.weight'], named.get('conv.bias')
        if not last:
            self.out = F.conv2d(x * self.gate.out, self.weight, own.get('conv.bias'))

    def backward(self, gradient: Tensor) -> Gradients:
        through = self.needed or any(self.asked)
        mask = (self.needed, through, self.to_weight, bool(self.to_bias))
        to_x, to_gate, *rest = gated_gradients(gradient, self.x, self.gate.out, self.weight, mask)
        inner: list[Tensor | None] = [None for _ in self.asked]
        if to_gate is not None:
            (to_means,), found = self.gate.backward(to_gate)
            inner = [grad if asked else None for grad, asked in zip(found, self.asked, strict=True)]
            if to_x is not None and to_means is not None:
                to_x.add_(to_means / (self.x.shape[2] * self.x.shape[3]))
        return [to_x], [*inner, *rest[: 1 if self.to_bias is None else 2]]


def module_step(
    module: Any,
    inputs: Sequence[Tensor],
    own: Parameters,
    needs: Needs,
    asked: Needs,
    following: nn.Module | None,
) -> Step:
    """The step of a module that is no batch norm.

    Args:
        inputs: (N, C, H, W) each.
        own: Its parameters.
        needs: Which inputs' gradients are needed.
        asked: Which parameters' gradients are needed.
        following: The next module; None where nobody needs the output.
    """
    if is_plain_convolution(module):
        return ConvolutionStep(module, inputs[0], own, needs[0], asked, following is None)
    if is_plain(module, *ACTIVATIONS):
        return ActivationStep(module, inputs[0], type(following) in FRESH)

    def run(own: Parameters, *leaves: Tensor) -> Tensor:
        # A leaf must not be overwritten.
        first = leaves[0].clone() if getattr(module, 'inplace', False) else leaves[0]
        return call(module, own, first, *leaves[1:])

    return GraphStep(run, inputs, own, needs, asked)
