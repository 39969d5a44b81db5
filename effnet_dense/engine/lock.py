"""Hold a work folder's lock while training, once for all processes of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from mmengine.dist import broadcast_object_list, is_main_process

from effnet_dense.utils.run_lock import locked


@contextmanager
def training_lock(work_dir: str) -> Iterator[None]:
    """Hold the lock of `utils.run_lock` inside the block.

    Raises:
        FileExistsError: In all processes, if another training holds it.
    """
    with ExitStack() as stack:
        refused: list[str | None] = [None]
        if is_main_process():
            try:
                stack.enter_context(locked(work_dir))
            except FileExistsError as error:
                refused = [str(error)]
        broadcast_object_list(refused)
        if refused[0] is not None:
            raise FileExistsError(refused[0])
        yield
