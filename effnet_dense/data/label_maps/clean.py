"""`--skip-bad`: leave the pairs of images and label maps that cannot be used out of a split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from effnet_dense.data.image_files import UNREADABLE
from effnet_dense.data.label_maps.check import SplitContent
from effnet_dense.data.label_maps.classes import LabelClasses
from effnet_dense.data.label_maps.pairs import LabelSplit, SplitFiles
from effnet_dense.data.label_maps.reading import PairContent
from effnet_dense.data.skipping import LeftOut, SkipBad
from effnet_dense.data.transforms.loading import LoadImageFromFile
from effnet_dense.utils.counted import counted
from effnet_dense.utils.json_text import json_text
from effnet_dense.utils.outputs import write_output


@dataclass(frozen=True)
class CleanLabels:
    """A split without faulty pairs, and what was left out of it."""

    content: SplitContent
    images: int
    left_out_images: tuple[LeftOut, ...]


def clean_labels(
    name: str, content: SplitContent, classes: LabelClasses, skip: SkipBad, decode: bool = False
) -> CleanLabels:
    """Leave faulty pairs out of a split, and write skipped_<name>.json, the list of them.

    Args:
        name: The split's name, 'train' or 'val'.
        content: What was read of it.
        classes: The meaning of the values.
        skip: Where to write, and how much may be left out.
        decode: Decode the images: an evaluation must not depend on one that fails.

    Raises:
        ValueError: More pairs are faulty than allowed.
    """
    files = content.files
    names = sorted(files.images.keys() & files.labels.keys())
    reasons = {image: 'it has no label map' for image in files.images if image not in files.labels}
    for pair_name, pair in zip(names, content.pairs, strict=True):
        why = pair_fault(pair, classes, content.split.upright if decode else None)
        if why:
            reasons[pair_name] = why
    total = len(files.images)
    left_out = tuple(
        LeftOut(str(files.images[image][0]), reasons[image]) for image in sorted(reasons)
    )
    if len(left_out) > skip.allowed(total):
        listed = '\n'.join(f'  {record.name}: {record.why}' for record in left_out)
        raise ValueError(
            f'{content.split.image_dir}: {len(left_out)} of {counted(total, "image")} or their '
            'label maps are '
            f'faulty, --skip-bad leaves out at most {skip.allowed(total)} ({skip.limit:.0%}):\n'
            f'{listed}'
        )
    kept = [image for image in names if image not in reasons]
    split = _listed(name, content.split, kept, skip.folder) if left_out else content.split
    lists = dict(images=[asdict(record) for record in left_out], annotations=[])
    write_output(skip.folder / f'skipped_{name}.json', json_text(lists, 1), fsync=False)
    return CleanLabels(_restricted(content, split, kept, names), total, left_out)


def pair_fault(pair: PairContent, classes: LabelClasses, upright: bool | None = None) -> str:
    """Return why a pair cannot be used; '' if it can.

    Args:
        pair: What was read of it.
        classes: The meaning of the values.
        upright: Decode the image, rotated by its EXIF orientation or not; None does not.
    """
    fault = pair.bad_label or pair.bad_image or pair.bad_size or pair.narrow
    if fault:
        return fault
    found = pair.counts if classes.colours is None else pair.colours()
    unknown = [code for code in found if classes.label_of(code) is None]
    if unknown:
        shown = ', '.join(map(str, sorted(unknown)[:8]))
        return f'{pair.pair.label.name} has values outside the classes: {shown}'
    if upright is None:
        return ''
    kind = 'color' if upright else 'color_ignore_orientation'
    try:
        LoadImageFromFile(color_type=kind)({'img_path': str(pair.pair.image)})
    except UNREADABLE as error:
        return str(error)
    return ''


def _listed(name: str, split: LabelSplit, kept: Sequence[str], folder: Path) -> LabelSplit:
    """Write the names that are kept, which take the place of a list or a share of the folder's."""
    names = ''.join(f'{image}\n' for image in kept)
    path = write_output(folder / f'{name}_images.txt', names, fsync=False)
    return replace(split, list_file=path, part=None)


def _restricted(
    content: SplitContent, split: LabelSplit, kept: Sequence[str], names: Sequence[str]
) -> SplitContent:
    chosen = set(kept)
    files = SplitFiles(
        {name: files for name, files in content.files.images.items() if name in chosen},
        {name: files for name, files in content.files.labels.items() if name in chosen},
        content.files.unknown,
    )
    pairs = [pair for name, pair in zip(names, content.pairs, strict=True) if name in chosen]
    return SplitContent(split, files, pairs)
