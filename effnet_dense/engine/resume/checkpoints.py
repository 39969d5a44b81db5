"""Read checkpoints to resume from, and find the newest complete one of a work folder."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from effnet_dense.engine.resume.contents import check_contents
from effnet_dense.utils.regular_files import open_regular
from effnet_dense.weights.safe import safe_load
from effnet_dense.weights.values import check_layouts, check_values

TRAINING_STATE = ('meta', 'state_dict', 'message_hub', 'optimizer')
LONGEST = 4096
"""Bytes of a path."""
BEST = re.compile(r'best(\.pth$|_)')
"""Names of files with the weights of the best validation."""
LAST = 'last_checkpoint'
"""The file that names the last checkpoint; mmengine's convention."""


def read_training_state(filename: str | Path) -> dict[str, Any]:
    """Read a checkpoint that a run can resume from.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is damaged, has weights only, weights that are no finite numbers, or a
            training state that is incomplete or of a newer version.
    """
    checkpoint = safe_load(filename)
    state = checkpoint if isinstance(checkpoint, dict) else {}
    missing = [key for key in TRAINING_STATE if not isinstance(state.get(key), dict)]
    if missing:
        raise ValueError(
            f'{filename} holds no training state to resume from ({", ".join(missing)} missing); '
            'load its weights with --cfg-options load_from=...'
        )
    try:
        check_layouts(checkpoint['state_dict'])
        check_values(checkpoint['state_dict'], checkpoint['state_dict'])
        check_contents(checkpoint)
    except ValueError as error:
        raise ValueError(f'{filename} cannot be resumed: {error}') from None
    # mmengine would execute it as Python to compare the number of GPUs.
    checkpoint['meta'].pop('config', None)
    return checkpoint


def find_complete_checkpoint(work_dir: str | Path, set_aside: bool = False) -> Path | None:
    """Find the newest checkpoint of a folder that a run can resume from.

    This is the one that `last_checkpoint` names or, if that is missing or damaged (which is
    logged), the next newest.

    Args:
        work_dir: The folder.
        set_aside: Append `.damaged` to the names of damaged files in the folder, so that the
            resumed run, which replaces no file that was changed, can save its own.

    Returns:
        None if the folder has no checkpoint at all.

    Raises:
        ValueError: There are checkpoints, but none is complete.
    """
    faults = [f'{Path(work_dir, LAST)} is not the path of a checkpoint'] * _is_rubbish(work_dir)
    skipped: list[Path] = []
    for path in _candidates(Path(work_dir)):
        try:
            read_training_state(path)
        except (OSError, ValueError) as error:
            faults.append(str(error))
            skipped.append(path)
            continue
        for fault in faults:
            print_log(f'checkpoint skipped: {fault}', 'current', logging.WARNING)
        for damaged in skipped if set_aside else ():
            _set_aside(damaged)
        return path
    if faults:
        raise ValueError(f'no checkpoint in {work_dir} is complete: {"; ".join(faults)}')
    return None


def _set_aside(path: Path) -> None:
    """Rename a damaged file of the folder, if nothing has the new name."""
    target = path.with_name(f'{path.name}.damaged')
    if path.is_file() and not os.path.lexists(target):
        path.rename(target)
        print_log(f'{path} is now called {target.name}', 'current', logging.WARNING)


def last_checkpoint(work_dir: str | Path) -> Path | None:
    """Return the path in `last_checkpoint`, even if the folder has moved; None if there is none."""
    name = _named(work_dir)
    if not name or not name.isprintable():
        return None
    moved = Path(work_dir, Path(name).name)
    return moved if os.path.isfile(moved) else Path(name)


def _named(work_dir: str | Path) -> str | None:
    """Return what `last_checkpoint` says; None if it is missing, not a file or not a short text."""
    try:
        with open_regular(Path(work_dir, LAST)) as file:
            content = file.read(LONGEST + 1)
        return content.decode('utf-8').strip() if len(content) <= LONGEST else None
    except (OSError, ValueError):
        return None


def _is_rubbish(work_dir: str | Path) -> bool:
    """Whether `last_checkpoint` exists and can name nothing; not an empty one, left by a kill."""
    name = _named(work_dir)
    return os.path.lexists(Path(work_dir, LAST)) and (name is None or not name.isprintable())


def _candidates(work_dir: Path) -> Iterator[Path]:
    """Yield the checkpoint that `last_checkpoint` names, then the others, newest first."""
    named = last_checkpoint(work_dir)
    if named is not None:
        yield named
    # The best ones have weights only; names with a leading dot are unfinished (`utils.atomic`).
    others = [path for path in work_dir.glob('[!.]*.pth') if not BEST.match(path.name)]
    for path in sorted(others, key=_time, reverse=True):
        if named is None or path.name != named.name:
            yield path


def _time(path: Path) -> int:
    """Return when a file was changed; 0 for a link to nothing."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
