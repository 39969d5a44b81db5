"""Keep running statistics in one tensor, which one kernel averages (EMA) in place of hundreds.

Kernels for lists of tensors take few of them at a time: 64 pairs with CUDA 12 builds of torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

ALIGNED = 64
"""Buffers start at multiples of so many values: kernels read several at once."""


@dataclass
class JoinedBuffers:
    """Buffers of one dtype and device, of a model and of its averages.

    Args:
        names: Of the buffers, in the model's `state_dict`.
        average: Holds the averaged ones, with zeros between them.
        current: Holds the model's in the same places.
        places: Addresses of the buffers when they were joined.
    """

    names: list[str]
    average: Tensor
    current: Tensor
    places: list[int]

    def holds(self, averages: Mapping[str, Tensor], current: Mapping[str, Tensor]) -> bool:
        """Whether all buffers still are where they were joined."""
        return self.places == _places(self.names, averages, current)


def join_buffers(averages: Any, model: nn.Module, device: str = 'cuda') -> list[JoinedBuffers]:
    """Move the floating-point buffers of a model and of its averages into one tensor each.

    Buffers stay the objects that they are, with their values; `state_dict` has their own names.

    Args:
        averages: One of mmengine's averaged models, with `update_buffers`.
        model: The model whose weights are averaged.
        device: Type of the device whose buffers are joined.

    Returns:
        One for each dtype and device.
    """
    kept, current = dict(averages.module.named_buffers()), dict(model.named_buffers())
    groups: dict[Any, list[str]] = {}
    for name in _alone(model.state_dict(), current):
        key = (current[name].dtype, current[name].device)
        if name in kept and key == (kept[name].dtype, kept[name].device) and key[1].type == device:
            groups.setdefault(key, []).append(name)
    joined = []
    for names in groups.values():
        average, own = _move(kept, names), _move(current, names)
        joined.append(JoinedBuffers(names, average, own, _places(names, kept, current)))
    averages.avg_parameters = averages.module.state_dict()  # which held the former places
    return joined


def _alone(state: Mapping[str, Tensor], buffers: Mapping[str, Tensor]) -> Iterable[str]:
    """Yield the names of saved buffers that share no memory with others, as averages would."""
    users = Counter(tensor.untyped_storage().data_ptr() for tensor in state.values())
    for name, buffer in buffers.items():
        plain = name in state and buffer.is_floating_point() and buffer.is_contiguous()
        if plain and users[buffer.untyped_storage().data_ptr()] == 1:
            yield name


def _move(buffers: Mapping[str, Tensor], names: list[str]) -> Tensor:
    """Move buffers into one new tensor, which is returned."""
    chosen = [buffers[name] for name in names]
    sizes = [-(-buffer.numel() // ALIGNED) * ALIGNED for buffer in chosen]
    joined = chosen[0].new_zeros(sum(sizes))
    for buffer, part in zip(chosen, joined.split(sizes), strict=True):
        place = part[: buffer.numel()].view(buffer.shape)
        buffer.data = place.copy_(buffer)
    return joined


def _places(names: list[str], *tensors: Mapping[str, Tensor]) -> list[int]:
    return [each[name].data_ptr() for each in tensors for name in names]
