"""The checkpoints of a work folder: read, and the newest whole one found."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from effnet_dense.weights.safe import safe_load

TRAINING_STATE = ('meta', 'state_dict', 'message_hub', 'optimizer')
LAST = 'last_checkpoint'
"""The file that names the last checkpoint, as mmengine's does."""


def read_training_state(filename: str | Path) -> dict[str, Any]:
    """Read a checkpoint that a run can go on from.

    Raises:
        FileNotFoundError: no such file.
        ValueError: damaged, or weights alone.
    """
    checkpoint = safe_load(filename)
    _check_sums(Path(filename))
    state = checkpoint if isinstance(checkpoint, dict) else {}
    missing = [key for key in TRAINING_STATE if not isinstance(state.get(key), dict)]
    if missing:
        raise ValueError(
            f'{filename} holds no training state to resume from ({", ".join(missing)} missing); '
            'load its weights with --cfg-options load_from=...'
        )
    # mmengine would execute it as Python to compare the number of GPUs.
    checkpoint['meta'].pop('config', None)
    return checkpoint


def _check_sums(path: Path) -> None:
    """Compare the sums that torch writes beside each tensor, which `torch.load` does not."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()
        if damaged is not None:
            raise ValueError(f'{path} is damaged: the checksum of {damaged} is wrong')


def find_whole_checkpoint(work_dir: str | Path) -> Path | None:
    """The newest checkpoint of a folder that a run can go on from.

    That is the one which `last_checkpoint` names; if it is missing or damaged, which is said,
    the next newest.

    Returns:
        None if the folder has no checkpoint at all.

    Raises:
        ValueError: there are checkpoints, and none is whole.
    """
    faults = []
    for path in _candidates(Path(work_dir)):
        try:
            read_training_state(path)
        except (OSError, ValueError) as error:
            faults.append(str(error))
            continue
        for fault in faults:
            print_log(f'passed over: {fault}', 'current', logging.WARNING)
        return path
    if faults:
        raise ValueError(f'no checkpoint in {work_dir} is whole: {"; ".join(faults)}')
    return None


def last_checkpoint(work_dir: str | Path) -> Path | None:
    """What `last_checkpoint` names, in this folder if it has moved; None if it names nothing."""
    try:
        name = Path(work_dir, LAST).read_text(encoding='utf-8').strip()
    except (OSError, UnicodeDecodeError):
        return None
    moved = Path(work_dir, Path(name).name)
    return None if not name else moved if moved.is_file() else Path(name)


def _candidates(work_dir: Path) -> Iterator[Path]:
    """The one that is named, then the others from the last that was written on."""
    named = last_checkpoint(work_dir)
    if named is not None:
        yield named
    # The best ones have weights alone.
    others = [path for path in work_dir.glob('[!.]*.pth') if not path.name.startswith('best_')]
    for path in sorted(others, key=lambda path: path.stat().st_mtime_ns, reverse=True):
        if named is None or path.name != named.name:
            yield path
