"""Log a kind of message once, also if several worker processes have cause to."""

from __future__ import annotations

import logging
import mmap
from typing import Any

from mmengine.logging import print_log


class Once:
    """Logs each kind of warning once for itself, its copies and the workers forked after it.

    The flags lie in memory that forked processes share. Spawned workers unpickle objects of their
    own, each of which logs once.

    Args:
        kinds: The kinds of warnings.
    """

    def __init__(self, *kinds: str) -> None:
        self._kinds = kinds
        self._logged = mmap.mmap(-1, max(1, len(kinds)))

    def warn(self, kind: str, text: str) -> None:
        """Log a warning unless one of this kind was logged before.

        Raises:
            ValueError: The kind was not announced.
        """
        place = self._kinds.index(kind)
        if not self._logged[place]:
            self._logged[place] = 1
            print_log(text, 'current', logging.WARNING)

    def __deepcopy__(self, memo: Any) -> Once:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Once, self._kinds
