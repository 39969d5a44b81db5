"""Fetch logged losses from a GPU when they are read, not at each step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.logging import HistoryBuffer, MessageHub
from torch import Tensor

MOST = 1000
"""Scalars that wait at most, so that their memory is bounded."""


class DeferredScalars(MessageHub):
    """mmengine's hub of logged values, which copies scalars from a device in one transfer.

    mmengine's calls `item()` for each loss of each step, which makes the host wait until the step
    is computed. Here tensors on a device are kept until somebody reads a value: the logger at its
    interval, a checkpoint, a user's hook. What is read is the same.
    """

    _waiting: list[tuple[str, Tensor, int, bool]]

    @classmethod
    def adopt(cls, hub: MessageHub) -> MessageHub:
        """Turn a hub into one that defers; other kinds of hubs are returned unchanged."""
        if type(hub) is MessageHub:
            hub._waiting = []
            hub.__class__ = cls
        return hub

    def update_scalar(self, key: str, value: Any, count: int = 1, resumed: bool = True) -> None:
        """Log a value; the arguments are mmengine's."""
        if not isinstance(value, Tensor) or value.device.type == 'cpu' or value.numel() != 1:
            if any(key == waiting for waiting, *_ in self._waiting):
                self._fetch()  # so that values of a key keep their order
            super().update_scalar(key, value, count, resumed)
            return
        self._waiting.append((key, value.detach().reshape(()), count, resumed))
        if len(self._waiting) >= MOST:
            self._fetch()

    @property
    def log_scalars(self) -> Any:
        """Every key's history."""
        self._fetch()
        return MessageHub.log_scalars.fget(self)

    def get_scalar(self, key: str) -> HistoryBuffer:
        """Return a key's history; others wait on, since mmengine reads its timer at each step."""
        if any(key == waiting for waiting, *_ in self._waiting):
            self._fetch()
        return self._log_scalars[key] if key in self._log_scalars else super().get_scalar(key)

    def fetched_scalars(self) -> dict[str, HistoryBuffer]:
        """Return every key's history so far, without what waits."""
        return self._log_scalars

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint stores."""
        self._fetch()
        return super().state_dict()

    def load_state_dict(self, state_dict: MessageHub | Mapping[str, Any]) -> None:
        """Replace all values; those that wait are dropped."""
        self._waiting.clear()
        super().load_state_dict(state_dict)

    def _fetch(self) -> None:
        """Log what waits: one transfer for each device and type."""
        waiting, self._waiting = self._waiting, []
        values: list[float] = [0.0] * len(waiting)
        kinds = [(tensor.device, tensor.dtype) for _, tensor, *_ in waiting]
        for kind in dict.fromkeys(kinds):
            places = [place for place, other in enumerate(kinds) if other == kind]
            fetched = torch.stack([waiting[place][1] for place in places]).tolist()
            for place, value in zip(places, fetched, strict=True):
                values[place] = value
        for (key, _, count, resumed), value in zip(waiting, values, strict=True):
            super().update_scalar(key, value, count, resumed)
