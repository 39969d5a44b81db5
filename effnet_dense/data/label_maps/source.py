"""`--data DIR`: a folder of images and label maps → its parts and class names, checked.

The layout is in `label_file`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from effnet_dense.data.coco.source import SPLITS, find_root, listing, raise_errors
from effnet_dense.data.label_maps.check import LabelReport, check_labels
from effnet_dense.data.label_maps.file import (
    CLASSES_FILE,
    LabelClasses,
    LabelSplit,
    locate_labels,
    read_classes,
)

EXPECTED_LABELS = """\
  images/{train,val}/NAME.jpg     (or .png and what else OpenCV reads)
  labels/{train,val}/NAME.png     a class index per pixel
  classes.json                    {"classes": [names], "ignore": value of pixels without a class}"""


@dataclass(frozen=True)
class LabelSource:
    """A data set of label maps: where its parts lie, its classes in the order of their values."""

    root: Path
    splits: Mapping[str, LabelSplit]
    classes: tuple[str, ...]
    ignore: int | None
    reports: Mapping[str, LabelReport]

    def summary(self) -> str:
        """What the parts hold, and what is odd about them, in lines for the user."""
        return '\n'.join(str(report) for report in self.reports.values())


def find_labels(folder: str | Path, splits: Sequence[str] = SPLITS) -> LabelSource:
    """Find the parts of a data set and check them (see `check_labels`).

    Args:
        folder: the data set's root.
        splits: the parts that are needed: 'train', 'val' or both.

    Raises:
        FileNotFoundError: the folder, a part, images or label maps are missing.
        ValueError: the label maps cannot be trained on; all their faults are listed.
    """
    root = find_root(folder)
    _refuse_other_layouts(root)
    classes: LabelClasses = read_classes(root / CLASSES_FILE)
    parts = locate_labels(root, splits)
    reports = {name: check_labels(part, classes) for name, part in parts.items()}
    raise_errors(root, reports)
    return LabelSource(root, parts, classes.names, classes.ignore, reports)


def _refuse_other_layouts(root: Path) -> None:
    if (root / CLASSES_FILE).exists() or (root / 'labels').is_dir():
        return
    lines = [f'{root} holds no label maps, which a config for segmentation needs. Expected']
    lines += [EXPECTED_LABELS, f'but it holds {listing(root)}']
    if any(root.glob('annotations/*.json')):
        lines.append("Annotations in COCO's format need a config of mmdet, for detection.")
    raise FileNotFoundError('\n'.join(lines))
