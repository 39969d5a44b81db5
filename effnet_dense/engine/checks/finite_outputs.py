"""Find networks whose outputs are NaN or infinite, from which empty predictions would be made.

Finite weights may be so large that what is computed with them is not: after a training that has
diverged, or in a type of fewer bits. The parts of a model are watched during one forward pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.hooks import RemovableHandle

PARTS = ('backbone', 'neck', 'head')
"""Ends of the names of modules that are watched."""


class OutputWatch:
    """Looks at what backbone, neck and heads of a model return, from `start` to `stop`.

    Args:
        model: A detector or segmentor, perhaps wrapped. Its compiled parts stay as they are: hooks
            of a module run outside of its `forward`.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.part = ''
        self._handles: list[RemovableHandle] = []

    def start(self) -> None:
        """Begin to watch."""
        self.part = ''
        self._handles = [
            module.register_forward_hook(self._look(name)) for name, module in _parts(self.model)
        ]

    def stop(self, predictions: Any = ()) -> str:
        """End watching.

        Args:
            predictions: The data samples that the model has returned. mmseg's heads are called
                past their hooks, but their logits are part of these.

        Returns:
            A sentence if anything was not finite, else ''.
        """
        for handle in self._handles:
            handle.remove()
        self._handles = []
        if not self.part and any(not is_finite(_values(sample)) for sample in predictions):
            self.part = 'the predictions'
        if not self.part:
            return ''
        name, largest = largest_weight(self.model)
        return (
            f'the outputs of {self.part} are not finite (NaN or infinite), so that the model finds '
            f'nothing or nonsense: its largest weight is {largest:.3g} ({name}), a training may '
            'have diverged'
        )

    def _look(self, name: str) -> Any:
        def look(module: nn.Module, inputs: Any, outputs: Any) -> None:
            if not self.part and not is_finite(outputs):
                self.part = name

        return look


def is_finite(values: Any) -> bool:
    """Whether tensors, in any nesting, have neither NaN nor +∞; -∞ is a mask in some heads."""
    for leaf in tree_leaves(values):
        if isinstance(leaf, Tensor) and leaf.is_floating_point() and leaf.numel():
            largest = leaf.detach().max()  # NaN, if there is one
            if not bool(largest < torch.inf):
                return False
    return True


def largest_weight(model: nn.Module) -> tuple[str, float]:
    """Return the name of the parameter with the largest absolute value, and that."""
    found = {name: float(p.detach().abs().max()) for name, p in _weights(model)}
    name = max(found, key=lambda each: found[each], default='')
    return name.removeprefix('module.'), found.get(name, 0.0)


def _weights(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in model.named_parameters():
        if parameter.numel() and parameter.is_floating_point():
            yield name, parameter


def _parts(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name, module in model.named_modules():
        parts = name.split('.')
        place = parts[-2:] if parts[-1].isdigit() else parts[-1:]
        if place[0].endswith(PARTS) and not isinstance(module, nn.ModuleList):
            yield name.removeprefix('module.'), module


def _values(sample: Any) -> list[Any]:
    """Return the logits, scores and boxes of a data sample."""
    found = []
    for part, names in (('seg_logits', ('data',)), ('pred_instances', ('scores', 'bboxes'))):
        data = getattr(sample, part, None)
        found += [getattr(data, name) for name in names if data is not None and name in data]
    return [getattr(each, 'tensor', each) for each in found]
