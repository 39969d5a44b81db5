"""`--data DIR`: a folder of images and label maps → its splits and class names, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from effnet_dense.data.findings import raise_errors
from effnet_dense.data.folders import SPLITS, find_root, listing
from effnet_dense.data.label_maps.check import LabelReport, check_labels
from effnet_dense.data.label_maps.classes import CLASSES_FILE, read_classes
from effnet_dense.data.label_maps.pairs import LabelSplit, locate_labels
from effnet_dense.data.resizing import Scale

EXPECTED_LABELS = """\
  images/{train,val}/NAME.jpg     (or any format that OpenCV reads)
  labels/{train,val}/NAME.png     a class index per pixel
  classes.json                    {"classes": [names], "ignore": value of pixels without a class}"""


@dataclass(frozen=True)
class LabelSource:
    """A dataset of label maps: its splits, and its classes in the order of their values."""

    root: Path
    splits: Mapping[str, LabelSplit]
    classes: tuple[str, ...]
    ignore: int | None
    reports: Mapping[str, LabelReport]

    def summary(self) -> str:
        """Describe the splits and their findings for the user."""
        return '\n'.join(str(report) for report in self.reports.values())


def find_labels(
    folder: str | Path,
    splits: Sequence[str] = SPLITS,
    scales: Mapping[str, Scale | None] | None = None,
) -> LabelSource:
    """Find the splits of a dataset and check them (see `check_labels`).

    Args:
        folder: The dataset's root.
        splits: The splits that are needed: 'train', 'val' or both.
        scales: Split → smallest scale to which its images are resized.

    Raises:
        FileNotFoundError: The folder, a split, images or label maps are missing.
        ValueError: The label maps cannot be trained on; the message lists all faults.
    """
    root = find_root(folder)
    _reject_other_layouts(root)
    classes = read_classes(root / CLASSES_FILE)
    parts = locate_labels(root, splits)
    reports = {
        name: check_labels(part, classes, (scales or {}).get(name)) for name, part in parts.items()
    }
    raise_errors(root, reports)
    return LabelSource(root, parts, classes.names, classes.ignore, reports)


def _reject_other_layouts(root: Path) -> None:
    if (root / CLASSES_FILE).exists() or (root / 'labels').is_dir():
        return
    lines = [f'{root} holds no label maps, which a config for segmentation needs. Expected']
    lines += [EXPECTED_LABELS, f'but it holds {listing(root)}']
    if any(root.glob('annotations/*.json')):
        lines.append("Annotations in COCO's format need an mmdet config, for detection.")
    raise FileNotFoundError('\n'.join(lines))
