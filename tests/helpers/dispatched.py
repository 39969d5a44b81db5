"""Count the calls of torch's dispatcher."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from torch.utils._python_dispatch import TorchDispatchMode

# Calls whose result the host waits for on a GPU
WAITS = ('_local_scalar_dense', 'nonzero', 'masked_select', 'unique', 'item', 'is_nonzero')


class _Counted(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._schema.name.partition('::')[2]
        self.calls[name] += 1
        # An index of booleans is a nonzero in disguise; so is a transfer to the host.
        self.calls['nonzero'] += name in ('index', 'index_put_') and any(
            index is not None and index.dtype.itemsize == 1 for index in args[1]
        )
        return func(*args, **(kwargs or {}))


def count_calls(run: Callable[[], object]) -> tuple[int, int]:
    """Return the numbers of calls and, among them, of waits."""
    with _Counted() as counted:
        run()
    waits = sum(
        count for name, count in counted.calls.items() if any(wait in name for wait in WAITS)
    )
    return sum(counted.calls.values()), waits
