"""Hold a work folder's lock while training, once for all processes of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from mmengine.dist import broadcast_object_list, is_main_process

from effnet_dense.utils.run_lock import Lock, locked


@contextmanager
def training_lock(work_dir: str) -> Iterator[Lock | None]:
    """Hold the lock of `utils.run_lock` inside the block.

    Yields:
        The lock, in the main process.

    Raises:
        FileExistsError: In all processes, if another training holds it.
        OSError: In all processes, if the lock cannot be written.
    """
    with ExitStack() as stack:
        held = None
        refused: list[OSError | None] = [None]
        if is_main_process():
            try:
                held = stack.enter_context(locked(work_dir))
            except OSError as error:
                refused = [error]
        broadcast_object_list(refused)
        if refused[0] is not None:
            raise refused[0]
        yield held
