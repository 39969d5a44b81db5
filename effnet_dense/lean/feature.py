"""A feature that a layer takes, and what autograd saves of it: itself, or how to compute it again.

Every layer runs with autograd, whose operators save their input for the backward pass. For a
feature that can be computed again from a saved one, a saved-tensor hook puts that computation in
its place. All gradients are those of autograd itself.

Shapes: N images, C channels, H × W pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import Parameter

from effnet_dense.ops.autocast import current_autocast

# `saved_tensors_hooks` without its object, which takes as long as an operator
_push_hooks = torch._C._autograd._push_saved_tensors_default_hooks
_pop_hooks = torch._C._autograd._pop_saved_tensors_default_hooks


class Recomputed:
    """A value that is computed again when the backward pass reads it, and kept until all have.

    Args:
        function: Computes it, without a graph.
        inputs: The function's arguments; those that are `Recomputed` are computed first.
        bias: The tensor among them that no operator saves, if any.

    Attributes:
        readers: How many operators and other values read it.
        feature: What `pack` replaces, while its reader runs.
    """

    __slots__ = ('bias', 'feature', 'function', 'inputs', 'kept', 'left', 'readers')

    def __init__(
        self, function: Callable[..., Any], *inputs: Any, bias: Tensor | None = None
    ) -> None:
        self.function, self.inputs = function, inputs
        self.bias = None if bias is None else (bias, bias._version)
        self.readers = self.left = 0
        self.feature: Tensor | None = None
        self.kept: Any = None

    def pack(self, tensor: Tensor) -> Any:
        """Return what autograd saves of a tensor; it checks no versions if there are hooks."""
        return self.add_reader() if tensor is self.feature else (tensor, tensor._version)

    def add_reader(self) -> Recomputed:
        """Count another reader; what nobody reads does not read its inputs either."""
        if not self.readers:
            for value in self.inputs:
                if type(value) is Recomputed:
                    value.add_reader()
        self.readers += 1
        return self

    def read(self) -> Any:
        """Return the value."""
        if not self.left:
            if self.bias is not None:
                unpack(self.bias)
            inputs = [x.read() if type(x) is Recomputed else x for x in self.inputs]
            self.kept, self.left = self.function(*inputs), self.readers
        value = self.kept
        self.left -= 1
        if self.left <= 0:
            self.kept, self.left = None, 0
        return value


def unpack(saved: Any) -> Tensor:
    """Return a tensor from what `Recomputed.pack` returned.

    Raises:
        RuntimeError: It was changed in place.
    """
    if type(saved) is not Recomputed:
        tensor, version = saved
        if tensor._version != version:
            raise RuntimeError(
                'a tensor that the backward pass needs was changed in place after the forward '
                f'pass: shape {tuple(tensor.shape)}, version {tensor._version} instead of {version}'
            )
        return tensor
    if not torch.is_grad_enabled():
        return saved.read()
    with torch.no_grad():
        return saved.read()


class Feature(NamedTuple):
    """A feature x (N, C, H, W), and how to compute it again; None if autograd saves it."""

    x: Tensor
    again: Recomputed | None = None

    @property
    def source(self) -> Tensor | Recomputed:
        """What another feature can be computed from."""
        return self.x if self.again is None else self.again

    def through(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return `function(x, *arguments)`; autograd saves `again` in place of x."""
        x, again = self
        if again is None:
            return function(x, *arguments)
        again.feature = x
        _push_hooks(again.pack, unpack)
        try:
            return function(x, *arguments)
        finally:
            _pop_hooks()
            again.feature = None  # autograd keeps the hooks

    def through_python(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Do the same with an autograd function in Python.

        PyTorch 2.6 forgets the hooks of a parameter that such a function saves while there are
        saved-tensor hooks, so it gets a view.
        """
        if self.again is not None:
            arguments = tuple(x.view_as(x) if isinstance(x, Parameter) else x for x in arguments)
        return self.through(function, *arguments)

    def then(self, function: Callable[..., Tensor], *arguments: Any) -> Feature:
        """Return `function(x, *arguments)` as a feature that is not saved."""
        out = self.through(function, *arguments)
        return Feature(out, Recomputed(function, self.source, *arguments))


def in_autocast(function: Callable[..., Tensor], device: str) -> Callable[..., Tensor]:
    """Let a function run in the current state of autocast, whenever it is called."""
    autocast = current_autocast(device)

    def run(*arguments: Any) -> Tensor:
        with autocast():
            return function(*arguments)

    return run
