"""Fold a peer's batch norms into its convolutions, as a careful user would."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from effnet_dense.analysis.saved_memory import output_tensors

TOLERANCE = 1e-3
"""Allowed difference, relative to an output's largest absolute value."""


def fold_norms(model: nn.Module, x: Tensor) -> nn.Module:
    """Return a copy in eval mode, with each norm folded that directly follows a convolution.

    Convolutions that run several times (effdet's heads, once per level) keep their norms.

    Args:
        model: Any network.
        x: Images (N, 3, H, W) for a pass that finds the pairs.

    Raises:
        ValueError: The copy's outputs differ: another module reads a convolution's output.
    """
    model = copy.deepcopy(model).requires_grad_(False)
    model.eval()  # mmdet's returns None
    with torch.no_grad():
        expected = _copy_outputs(model(x))
        for conv_name, norm_name in _conv_norm_pairs(model, x):
            conv: Any = model.get_submodule(conv_name)
            norm: Any = model.get_submodule(norm_name)
            _replace(model, conv_name, fuse_conv_bn_eval(conv, norm))
            _replace(model, norm_name, _activation(norm))
        _compare(_copy_outputs(model(x)), expected)
    return model


def _copy_outputs(out: Any) -> list[Tensor]:
    return [tensor.clone() for tensor in output_tensors(out)]


def _conv_norm_pairs(model: nn.Module, x: Tensor) -> list[tuple[str, str]]:
    """Return names of convolutions and the norms on their outputs, each of which runs once."""
    outputs: dict[int, tuple[str, Tensor]] = {}  # kept alive, so that no id is reused
    found: list[tuple[str, str]] = []
    calls: Counter[str] = Counter()

    def watch(name: str, module: nn.Module) -> Any:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
            calls[name] += 1
            if isinstance(module, nn.Conv2d):
                outputs[id(out)] = name, out
            elif id(inputs[0]) in outputs:
                found.append((outputs[id(inputs[0])][0], name))

        return module.register_forward_hook(hook)

    handles = [
        watch(name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | _BatchNorm)
    ]
    model(x)
    for handle in handles:
        handle.remove()
    return [pair for pair in found if calls[pair[0]] == calls[pair[1]] == 1]


def _activation(norm: nn.Module) -> nn.Module:
    """Return the activation that timm's norms contain, an identity for others."""
    act = getattr(norm, 'act', None)
    return act if isinstance(act, nn.Module) else nn.Identity()


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition('.')
    setattr(model.get_submodule(parent), child, module)


def _compare(outputs: list[Tensor], expected: list[Tensor]) -> None:
    for out, reference in zip(outputs, expected, strict=True):
        largest = reference.abs().max().clamp(min=1e-12)
        difference = float((out - reference).abs().max() / largest)
        if not difference <= TOLERANCE:
            raise ValueError(
                f'folding norms changed the results by {difference:.1e} of the largest, '
                f'expected at most {TOLERANCE:.0e}'
            )
