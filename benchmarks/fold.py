"""A peer with its batch norms folded into its convolutions, as a careful user would run it."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils._pytree import tree_leaves

TOLERANCE = 1e-3  # of the largest value


def fold_norms(model: nn.Module, x: Tensor) -> nn.Module:
    """A copy in eval mode, with norms folded where one pass finds a convolution in front of them.

    Convolutions that run several times (effdet's heads, by level) keep their norms.

    Args:
        x: (N, 3, H, W), pictures for the pass.

    Raises:
        ValueError: The copy's results differ: something else reads a convolution's output.
    """
    model = copy.deepcopy(model).requires_grad_(False)
    model.eval()  # mmdet's returns None
    with torch.no_grad():
        expected = _floats(model(x))
        for conv_name, norm_name in _adjacent(model, x):
            conv: Any = model.get_submodule(conv_name)
            norm: Any = model.get_submodule(norm_name)
            _replace(model, conv_name, fuse_conv_bn_eval(conv, norm))
            _replace(model, norm_name, _rest_of(norm))
        _compare(_floats(model(x)), expected)
    return model


def _floats(out: Any) -> list[Tensor]:
    return [leaf.clone() for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]


def _adjacent(model: nn.Module, x: Tensor) -> list[tuple[str, str]]:
    """Names of convolutions and of the norms that take their outputs, each of them used once."""
    outputs: dict[int, tuple[str, Tensor]] = {}  # kept alive: an id is not to be used again
    found: list[tuple[str, str]] = []
    calls: Counter[str] = Counter()

    def watch(name: str, module: nn.Module) -> Any:
        def after(_: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
            calls[name] += 1
            if isinstance(module, nn.Conv2d):
                outputs[id(out)] = name, out
            elif id(inputs[0]) in outputs:
                found.append((outputs[id(inputs[0])][0], name))

        return module.register_forward_hook(after)

    handles = [
        watch(name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | _BatchNorm)
    ]
    model(x)
    for handle in handles:
        handle.remove()
    return [pair for pair in found if calls[pair[0]] == calls[pair[1]] == 1]


def _rest_of(norm: nn.Module) -> nn.Module:
    """What a norm does besides: timm's also activates."""
    act = getattr(norm, 'act', None)
    return act if isinstance(act, nn.Module) else nn.Identity()


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition('.')
    setattr(model.get_submodule(parent), child, module)


def _compare(got: list[Tensor], expected: list[Tensor]) -> None:
    for one, other in zip(got, expected, strict=True):
        difference = float((one - other).abs().max() / other.abs().max().clamp(min=1e-12))
        if not difference <= TOLERANCE:
            raise ValueError(
                f'folding norms changed the results by {difference:.1e} of the largest, '
                f'expected at most {TOLERANCE:.0e}'
            )
