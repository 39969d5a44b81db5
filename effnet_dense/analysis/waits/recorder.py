"""A hook that records the waits and the launches of one training step, and ends the training."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from mmengine.hooks import Hook
from mmengine.structures import BaseDataElement
from torch import Tensor
from torch.utils._pytree import tree_leaves

from effnet_dense.analysis.waits.launches import launches
from effnet_dense.analysis.waits.pretended_gpu import is_on_gpu
from effnet_dense.analysis.waits.rules import wait_reason

SKIPPED = ('torch', 'effnet_dense/analysis/waits')
"""Folders whose frames are not the place of a wait."""


@dataclass(frozen=True)
class Wait:
    """A wait of the host for the GPU.

    Attributes:
        reason: What it waits for, such as 'a value is read'.
        file: The innermost file outside of torch, from its package on.
        line: In that file.
        function: In that file.
    """

    reason: str
    file: str
    line: int
    function: str

    def __str__(self) -> str:
        """Return place and reason in one line."""
        return f'{self.file}:{self.line} {self.function}: {self.reason}'


class Recorded(Exception):
    """The step was recorded."""


class Recorder(Hook):
    """Record the step after the first one, which fills caches and creates states."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.waits: list[Wait] = []
        self.launches: Counter[tuple[str, str]] = Counter()
        self.active = False
        self.pinned: set[int] = set()
        self.pins = False

    def before_train(self, runner: Any) -> None:
        self.pins = runner.train_dataloader.pin_memory

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        self.pinned = {id(tensor) for tensor in _tensors(data_batch)} if self.pins else set()

    def after_train_iter(self, runner: Any, *args: Any, **kwargs: Any) -> None:
        if self.active:
            raise Recorded
        self.active = True

    def listen(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Note an operator, if it is in the step."""
        if not self.active:
            return
        place = _place(sys._getframe())
        reason = wait_reason(operator, args, kwargs, is_on_gpu, self._is_pinned)
        if reason is not None:
            self.waits.append(Wait(reason, *place))
        self.launches[place[0], str(operator.overloadpacket)] += launches(operator, args)

    def _is_pinned(self, tensor: Any) -> bool:
        return id(tensor) in self.pinned


def _tensors(batch: Any) -> Iterator[Tensor]:
    """Yield a batch's tensors, those of its ground truth included."""
    for leaf in tree_leaves(batch):
        if isinstance(leaf, Tensor):
            yield leaf
        elif isinstance(leaf, BaseDataElement):
            yield from _tensors(list(leaf.values()))


def _place(frame: FrameType | None) -> tuple[str, int, str]:
    """Return file, line and function of the innermost frame outside of torch."""
    while frame is not None:
        file = frame.f_code.co_filename
        package = _in_package(file)
        if package and not package.startswith(SKIPPED):
            return package, frame.f_lineno, frame.f_code.co_name
        frame = frame.f_back
    return 'unknown', 0, 'unknown'


def _in_package(file: str) -> str:
    """Return a file's path from its package on; nothing for Python's own and for scripts."""
    parts = Path(file).parts
    for root in ('site-packages', 'dist-packages'):
        if root in parts:
            return '/'.join(parts[parts.index(root) + 1 :])
    if 'effnet_dense' in parts[:-1]:
        last = len(parts) - 1 - parts[::-1].index('effnet_dense')
        return '/'.join(parts[last:])
    return ''
