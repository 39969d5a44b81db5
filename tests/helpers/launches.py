"""Count the kernels that operators on lists of tensors start on a GPU, without one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

# Lists of an operator → tensors of each that a kernel takes (MultiTensorApply.cuh of PyTorch).
SMALL_ARGUMENTS = {2: 64, 3: 48, 4: 36}  # 4 KB: CUDA 12
LARGE_ARGUMENTS = {2: 448, 3: 336, 4: 252}  # 32 KB: CUDA 13
BLOCKS_PER_TENSOR = 5  # 320 blocks for 64 tensors, and 2240 for 448
CHUNK = 65536  # values that a block takes


def launches(sizes: Sequence[int], lists: int, limits: dict[int, int]) -> int:
    """Return the number of kernels for tensors of these sizes, as `multi_tensor_apply` starts them.

    Args:
        sizes: Values of each tensor of a list.
        lists: Number of lists.
        limits: One of the two tables.
    """
    most_blocks = limits[2] * BLOCKS_PER_TENSOR
    count = tensors = blocks = 0
    for size in sizes:
        tensors += size > 0
        for left in range(-(-size // CHUNK) - 1, -1, -1):
            blocks += 1
            if blocks == most_blocks or (tensors == limits[lists] and not left):
                count, blocks, tensors = count + 1, 0, int(left > 0)
    return count + (blocks > 0)


class ListOperators(TorchDispatchMode):
    """Records the sizes that operators on lists of tensors get.

    Attributes:
        calls: For each call the name of its operator, the number of its lists, and the sizes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, int, list[int]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        lists = [each for each in args if isinstance(each, list) and each]
        if lists and func._schema.name.startswith(('aten::_foreach', 'aten::_fused')):
            sizes = [tensor.numel() for tensor in lists[0]]
            self.calls.append((func._schema.name.removeprefix('aten::'), len(lists), sizes))
        return func(*args, **(kwargs or {}))
