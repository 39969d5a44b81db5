"""Make the page's section about images and annotations that `--skip-bad` left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from effnet_dense.report.sections import Section, Table
from effnet_dense.report.store import load_json

SPLITS = {'train': 'training', 'val': 'validation'}
Row = tuple[str, str, str]


def skipped_sections(work_dir: Path) -> list[Section]:
    """List the entries of the work folder's skipped_*.json; no section without entries.

    `clean_coco` writes skipped_train.json and skipped_val.json before training or testing,
    SkipBadHook writes skipped_images.json during training.

    Raises:
        ValueError: A file is not JSON.
    """
    rows = [*_left_out(work_dir), *_unreadable(work_dir)]
    table = Table(['left out of', 'image or annotation', 'reason'], rows)
    return [Section('skipped', 'Skipped images', tables=[table])] if rows else []


def _left_out(work_dir: Path) -> Iterator[Row]:
    """Read {'images': [{'name': …, 'why': …}, …], 'annotations': […]} of each split."""
    for split, name in SPLITS.items():
        lists = load_json(work_dir / f'skipped_{split}.json') or {}
        for records in lists.values():
            yield from ((name, str(record['name']), str(record['why'])) for record in records)


def _unreadable(work_dir: Path) -> Iterator[Row]:
    """Read {file: reason} of images that were replaced while training."""
    found = load_json(work_dir / 'skipped_images.json') or {}
    yield from (('training, while it ran', file, str(why)) for file, why in found.items())
