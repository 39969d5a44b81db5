"""`--data DIR`: a folder of images and label maps → its splits and class names, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from effnet_dense.data.findings import Finding, raise_errors
from effnet_dense.data.folders import SPLITS, find_root, listing
from effnet_dense.data.label_maps.check import LabelReport, SplitContent, read_split, report_on
from effnet_dense.data.label_maps.classes import (
    CLASSES_FILE,
    EXPECTED_CLASSES,
    LabelClasses,
    read_classes,
)
from effnet_dense.data.label_maps.clean import CleanLabels, clean_labels
from effnet_dense.data.label_maps.guess import (
    BINARY,
    Read,
    binary_suggestion,
    complete_classes,
    default_classes,
    suggestion,
    useless_ignore,
)
from effnet_dense.data.label_maps.known import known_dataset
from effnet_dense.data.label_maps.layouts import Layout, find_layout, needed_parts
from effnet_dense.data.label_maps.pairs import LabelSplit
from effnet_dense.data.label_maps.reading import PairContent
from effnet_dense.data.label_maps.tables import read_table
from effnet_dense.data.resizing import Scale
from effnet_dense.data.same_images import repeated_images
from effnet_dense.data.skipping import SkipBad
from effnet_dense.data.splitting import VAL_SHARE
from effnet_dense.utils.counted import counted

EXPECTED_LABELS = """\
  images/{train,val}/NAME.jpg     (or any format that OpenCV reads)
  labels/{train,val}/NAME.png     a class index per pixel, a colour per class, or 0 and 255
  classes.json                    {"classes": [names], "ignore": value of pixels without a class}
other names of these folders, train/images and train/masks, one part only, NAME_mask.png, and the
layouts of VOC, ADE20K and Cityscapes work too"""


@dataclass(frozen=True)
class LabelSource:
    """A dataset of label maps: its splits, and its classes in the order of their labels.

    Attributes:
        root: The folder that holds the splits.
        splits: Name → folders.
        classes: Names in the order of their labels.
        ignore: Value of pixels without a class, if values are labels.
        reports: Split → its content and findings.
        encoding: What the files' values or colours mean.
        remarks: What was decided about the dataset, one sentence each.
        findings: What concerns all splits.
        cleaned: Split → what `--skip-bad` left out of it.
    """

    root: Path
    splits: Mapping[str, LabelSplit]
    classes: tuple[str, ...]
    ignore: int | None
    reports: Mapping[str, LabelReport]
    encoding: LabelClasses
    remarks: tuple[str, ...] = field(default=())
    findings: tuple[Finding, ...] = ()
    cleaned: Mapping[str, CleanLabels] = field(default_factory=dict)

    def summary(self) -> str:
        """Describe the splits and their findings for the user."""
        left_out = [
            f'left out of {name}: {len(part.left_out_images)} of '
            f'{counted(part.images, "image")}, see '
            f'skipped_{name}.json'
            for name, part in self.cleaned.items()
        ]
        found = [*self.reports.values(), *self.findings, *left_out]
        return '\n'.join([*self.remarks, *map(str, found)])


@dataclass(frozen=True)
class LabelsOfObjects:
    """A dataset of objects with masks whose label maps were drawn: its layout and classes."""

    layout: Layout
    classes: LabelClasses


Draw = Callable[[Path], LabelsOfObjects | None]
"""The user's folder → its label maps; None if it holds no objects."""


def find_labels(
    folder: str | Path,
    splits: Sequence[str] = SPLITS,
    scales: Mapping[str, Scale | None] | None = None,
    val_share: float = VAL_SHARE,
    split_seed: int = 0,
    draw: Draw | None = None,
    upright: Mapping[str, bool] | None = None,
    skip: SkipBad | None = None,
) -> LabelSource:
    """Find the splits of a dataset and check them (see `check_labels`).

    Args:
        folder: The dataset's root, or a folder around it.
        splits: The splits that are needed: 'train', 'val' or both.
        scales: Split → smallest scale to which its images are resized.
        val_share: Share of the images that are evaluated where the dataset has one part.
        split_seed: Of that split.
        draw: Draws label maps where the folder has objects with polygons or masks instead; by
            default they are not accepted.
        upright: Split → whether its images are rotated by their EXIF orientation, as by default.
        skip: Leave out faulty pairs of images and label maps.

    Raises:
        FileNotFoundError: The folder, a split, images or label maps are missing.
        ValueError: The label maps cannot be trained on; the message lists all faults.
    """
    root = find_root(folder)
    layout = find_layout(root, splits, val_share, split_seed)
    if layout is not None:
        stated, source = _stated_classes(root, layout)
    else:
        drawn = None if draw is None else draw(root)
        if drawn is None:
            raise FileNotFoundError(_no_label_maps(root))
        layout = needed_parts(drawn.layout, root, splits, val_share, split_seed)
        stated, source = drawn.classes, ()
    coloured = stated is not None and stated.colours is not None
    contents = {
        name: read_split(
            replace(part, upright=(upright or {}).get(name, True)),
            coloured,
            (scales or {}).get(name),
            stated,
        )
        for name, part in layout.parts.items()
    }
    pairs = [pair for content in contents.values() for pair in content.pairs]
    classes, remarks = _classes(root, layout, stated, pairs)
    cleaned: dict[str, CleanLabels] = {}
    if skip is not None:
        for name, content in contents.items():
            cleaned[name] = clean_labels(name, content, classes, skip, decode=name == 'val')
            contents[name] = cleaned[name].content
    reports = {
        name: report_on(content, classes, training=name == 'train')
        for name, content in contents.items()
    }
    raise_errors(root, reports, _more_errors(classes, contents), _hint(classes, pairs, stated))
    return LabelSource(
        layout.root,
        {name: content.split for name, content in contents.items()},
        classes.names,
        classes.ignore,
        reports,
        classes,
        (*layout.remarks, *source, *remarks),
        tuple(repeated_images({name: _images(content) for name, content in contents.items()})),
        cleaned,
    )


def _images(content: SplitContent) -> list[Path]:
    return [pair.pair.image for pair in content.pairs]


def _no_label_maps(root: Path) -> str:
    lines = [f'{root} holds no label maps, which a config for segmentation needs. Expected']
    lines += [EXPECTED_LABELS, f'but it holds {listing(root)}']
    if any(root.glob('annotations/*.json')):
        lines.append("Annotations in COCO's format need an mmdet config, for detection.")
    return '\n'.join(lines)


def _stated_classes(root: Path, layout: Layout) -> tuple[LabelClasses | None, tuple[str, ...]]:
    """Read classes.json, or else the table of a tool, with a remark on where it is."""
    between = [place for place in layout.root.parents if place.is_relative_to(root)]
    places = list(dict.fromkeys([layout.root, *between, *_part_dirs(layout)]))
    for place in places:
        if (place / CLASSES_FILE).exists():
            return read_classes(place / CLASSES_FILE), ()
    for place in places:
        table = read_table(place)
        if table is not None:
            classes, path = table
            return classes, (f'the classes are those of {path.relative_to(root)}',)
    return None, ()


def _part_dirs(layout: Layout) -> list[Path]:
    """List the folders of splits, in which some tools repeat their table of classes."""
    found = [split.label_dir for split in layout.parts.values()]
    return [*found, *(folder.parent for folder in found if folder.parent != layout.root.parent)]


def _classes(
    root: Path, layout: Layout, stated: LabelClasses | None, pairs: Sequence[PairContent]
) -> Read:
    """Decide what the pixels mean.

    Raises:
        FileNotFoundError: Nothing says it; the message has a classes.json to complete.
    """
    if not pairs:  # a fault of its own
        return stated or LabelClasses(BINARY), ()
    if stated is not None:
        return complete_classes(stated, pairs)
    known = known_dataset(next(iter(layout.parts.values())), pairs)
    if known is not None:
        return known.classes, (f'the classes are those of {known.name}',)
    found = default_classes(pairs)
    if found is not None:
        return found
    lines = [
        f'expected {layout.root / CLASSES_FILE} with {EXPECTED_CLASSES}; there is none',
        suggestion(pairs),
        *(f'{pair.bad_label}' for pair in pairs[:3] if pair.bad_label and not pair.coloured),
    ]
    raise FileNotFoundError('\n'.join(filter(None, lines)))


def _more_errors(classes: LabelClasses, contents: Mapping[str, SplitContent]) -> list[str]:
    """Find what only all label maps of training together show."""
    if 'train' not in contents:
        return []
    return list(filter(None, [useless_ignore(classes, contents['train'].pairs)]))


def _hint(classes: LabelClasses, pairs: Sequence[PairContent], stated: LabelClasses | None) -> str:
    """Propose a classes.json where the files hold colours, or a mask has smoothed borders."""
    if classes.colours is None and any(pair.coloured for pair in pairs):
        return suggestion(pairs)
    return binary_suggestion(pairs) if stated is None and classes.values is not None else ''
