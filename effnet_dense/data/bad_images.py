"""Replace images that cannot be read during training, and list them.

Data loader workers append the names of these images to a file, which the main process reads. The
next readable image in the dataset's order replaces them; no random numbers are drawn.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2

from effnet_dense.data.image_errors import BadImageError
from effnet_dense.utils.atomic import write_all
from effnet_dense.utils.json_text import json_text
from effnet_dense.utils.outputs import claim


class ReplaceBadImages:
    """Replacement for a dataset's `prepare_data` that skips and records unreadable samples.

    Args:
        dataset: An mmengine `BaseDataset`, not a wrapper of datasets.
        notes: The file to append records to.
    """

    def __init__(self, dataset: Any, notes: Path) -> None:
        self.dataset = dataset
        self.prepare = dataset.prepare_data
        self.notes = notes
        self.seen: set[str] = set()

    def __call__(self, idx: int) -> Any:
        """Prepare a sample, or the next one that can be read.

        Raises:
            BadImageError, FileNotFoundError, cv2.error: No sample can be read.
        """
        count = len(self.dataset)
        for step in range(count):
            try:
                return self.prepare((idx + step) % count)
            except (BadImageError, FileNotFoundError) as error:
                if step == count - 1:
                    raise
                self._note(str(error.filename or error), str(error))
            except (cv2.error, OSError, SyntaxError) as error:
                # No pixel left after resizing, or a label map that mmseg's loader cannot read.
                if step == count - 1:
                    raise
                info = self.dataset.get_data_info((idx + step) % count)
                name, label_map = str(info.get('img_path')), info.get('seg_map_path')
                other = f' or load {label_map}' if label_map else ''
                self._note(name, f'cannot transform image {name}{other}: {str(error).strip()}')
        raise IndexError(idx)

    def _note(self, name: str, why: str) -> None:
        if name in self.seen:
            return
        self.seen.add(name)
        line = json_text([name, why]) + '\n'
        handle = os.open(claim(self.notes), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            write_all(handle, line.encode(), self.notes)  # at once: other processes append too
        finally:
            os.close(handle)


def replace_bad_images(dataset: Any, notes: Path) -> None:
    """Make a built dataset, or every dataset inside a wrapper, replace unreadable images."""
    for leaf in _leaves(dataset):
        leaf.prepare_data = ReplaceBadImages(leaf, notes)


def read_notes(notes: Path) -> dict[str, str]:
    """Read the records: file → why it cannot be read, sorted by file."""
    if not notes.is_file():
        return {}
    lines = notes.read_text(encoding='utf-8').splitlines()
    return dict(sorted(json.loads(line) for line in lines))


def _leaves(dataset: Any) -> Iterator[Any]:
    """Yield the built datasets inside wrappers such as ConcatDataset."""
    if hasattr(dataset, 'datasets'):
        for child in dataset.datasets:
            yield from _leaves(child)
    elif hasattr(dataset, '_dataset'):  # mmengine's slice for `num_batch_per_epoch`
        yield from _leaves(dataset._dataset)
    elif hasattr(dataset, 'dataset'):
        yield from _leaves(dataset.dataset)
    elif hasattr(dataset, 'prepare_data'):
        yield dataset
