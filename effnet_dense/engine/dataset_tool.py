"""Show how a dataset is read, repaired and checked, and export the result, without training."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.config import Config

from effnet_dense.data.coco import CocoSource, find_coco
from effnet_dense.data.coco.annotation_file import CocoSplit, read_coco
from effnet_dense.data.coco.folder import converted
from effnet_dense.data.coco.written import json_chunks
from effnet_dense.data.folders import SPLITS, find_root
from effnet_dense.data.formats.archive import extract
from effnet_dense.data.label_maps.folder import LabelSource, find_labels
from effnet_dense.data.label_maps.layouts import search_layout
from effnet_dense.data.parts import Division
from effnet_dense.data.statistics import count_objects, object_table, training_size
from effnet_dense.data.user_data import use_data
from effnet_dense.utils.atomic import atomic_write
from effnet_dense.utils.outputs import check_outside, claim, claim_all
from effnet_dense.utils.progress import track


def examine(
    folder: Path,
    kind: str = 'auto',
    config: Config | None = None,
    division: Division | None = None,
    masks: bool = False,
    scratch: Path | None = None,
) -> CocoSource | LabelSource:
    """Read, repair and check a dataset as `--data` does.

    Args:
        folder: The dataset's, or a ZIP file.
        kind: 'objects' with boxes or masks, 'label maps', or 'auto': the first that it holds.
        config: The training's, whose pipelines load and resize the images.
        division: How a dataset with one part is divided.
        masks: Check masks, too, without a config.
        scratch: Where repaired annotations, drawn label maps and unpacked images go; by default
            into data/converted.

    Raises:
        FileNotFoundError: There is no dataset.
        ValueError: It cannot be used; the message lists all faults.
    """
    chosen = division or Division()
    wanted = SPLITS if chosen.share < 1 else ('val',)
    if config is not None:
        return use_data(config, folder, wanted, scratch=scratch, division=chosen)
    if kind == 'label maps':
        return _label_maps(folder, wanted, chosen, scratch)
    try:
        return find_coco(folder, wanted, wanted if masks else (), scratch=scratch, division=chosen)
    except FileNotFoundError as error:
        if kind == 'objects':
            raise
        try:
            return _label_maps(folder, wanted, chosen, scratch)
        except FileNotFoundError as fault:
            has_maps = folder.is_dir() and search_layout(find_root(folder)) is not None
            raise (fault if has_maps else error) from None


def _label_maps(
    folder: Path, splits: Sequence[str], division: Division, scratch: Path | None
) -> LabelSource:
    place = (scratch or converted(folder)).absolute()
    root = extract(folder, place) if folder.is_file() else folder
    return find_labels(root, splits, None, division.share, division.seed)


def describe(source: CocoSource | LabelSource, config: Config | None = None) -> str:
    """Describe a dataset: format, parts, repairs, warnings and counts of objects.

    Args:
        source: From `examine`.
        config: The same; with one, all but the counts has been logged already.
    """
    lines = [] if config is not None else [source.summary()]
    if isinstance(source, CocoSource):
        size = None if config is None else training_size(config)
        resized = 'as they are' if size is None else f'resized to {size}'
        for name, split in source.splits.items():
            table = object_table(count_objects(read_coco(split.ann_file), size))
            lines.append(f'objects of {name}, images {resized}:\n{table}')
    return '\n'.join(lines)


def export(source: CocoSource, folder: Path, copy: bool = False) -> Mapping[str, Path]:
    """Write a dataset as COCO JSON files and their images, which `--data` reads as they are.

    Args:
        source: From `examine`.
        folder: Gets annotations/{train,val}.json and images/{train,val}/.
        copy: Copy images; else they are hard links, where the disk is the same.

    Returns:
        Split → its annotation file.

    Raises:
        FileExistsError: A file is there that the package did not write.
        ValueError: The folder lies among the dataset's images.
    """
    check_outside(folder, [split.image_dir for split in source.splits.values()])
    return {name: _export(name, split, folder, copy) for name, split in source.splits.items()}


def _export(name: str, split: CocoSplit, folder: Path, copy: bool) -> Path:
    data = read_coco(split.ann_file)
    names = [_inside(image['file_name']) for image in data['images']]
    sources = [split.image_dir / image['file_name'] for image in data['images']]
    targets = [folder / 'images' / name / inside for inside in names]
    pairs = dict(zip(targets, sources, strict=True))
    new = [target for target, source in pairs.items() if not _is_same(source, target)]
    annotations = claim(folder / 'annotations' / f'{name}.json')
    claim_all(new)
    for target in track(new, f'Exporting {name}'):
        _place(pairs[target], target, copy)
    images = [{**i, 'file_name': n} for i, n in zip(data['images'], names, strict=True)]
    atomic_write(annotations, json_chunks({**data, 'images': images}), fsync=False)
    return annotations


def _inside(name: str) -> str:
    """Return a name that does not lead out of a folder."""
    return '/'.join(part for part in Path(name).parts if part not in ('/', '..', '.'))


def _is_same(source: Path, target: Path) -> bool:
    return target.exists() and os.path.samefile(source, target)


def _place(source: Path, target: Path, copy: bool) -> None:
    """Link or copy an image; what an earlier export put there is replaced."""
    target.unlink(missing_ok=True)
    try:
        if not copy:
            os.link(source.resolve(), target)
            return
    except OSError:  # another disk
        pass
    shutil.copyfile(source, target)
