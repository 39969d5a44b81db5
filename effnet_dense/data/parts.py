"""Divide a dataset that has one part into training and validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from effnet_dense.data.grouping import Grouping, group_names, joined
from effnet_dense.data.normalise import NormalPart
from effnet_dense.data.normalise.repairs import Record
from effnet_dense.data.same_content import same_content
from effnet_dense.data.splitting import VAL_SHARE, split_names
from effnet_dense.utils.counted import counted

UNDIVIDED = 'all'


@dataclass(frozen=True)
class Division:
    """How to divide a dataset with one part.

    Attributes:
        share: Of the images, about, that are evaluated; 1 evaluates all of them, without training.
        seed: Another seed gives another division.
    """

    share: float = VAL_SHARE
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f'--val-share expects a share above 0, up to 1, got {self.share}')


def divide(
    splits: Mapping[str, NormalPart], needed: Sequence[str], division: Division
) -> tuple[dict[str, NormalPart], list[str]]:
    """Divide the only part of a dataset; one that has several parts stays.

    The parts do not depend on `needed`, so that all tools use the same. An image's part depends on
    the seed and its group's name only: it stays when images are added.

    Args:
        splits: Repaired, so that references lead to images.
        needed: 'train', 'val' or both.
        division: Share and seed.

    Returns:
        The parts, and remarks on what was done.

    Raises:
        ValueError: There are too few images, or none would be trained on.
    """
    if set(splits) != {UNDIVIDED}:
        more = division != Division()
        return dict(splits), ['it has its own parts: --val-share is not used'] if more else []
    whole = splits[UNDIVIDED]
    if division.share == 1:
        if 'train' in needed:
            raise ValueError('--val-share 1 leaves no image to train on')
        return {'val': whole}, ['all images are evaluated']
    names = _names(whole.data['images'])
    if len(set(names)) < 2:
        raise ValueError(
            f'{whole.source} has {len(set(names))} image: training and validation need one each'
        )
    grouping, parts = _choose(whole, names, division)
    found = {part: _select(whole, names, set(chosen)) for part, chosen in parts.items()}
    counts = {part: len(split.data['images']) for part, split in found.items()}
    remark = (
        f'it has one part, which is divided by the names: {counted(counts["train"], "image")} to '
        'train, '
        f'{counts["val"]} to evaluate (--val-share {division.share:g}, --split-seed '
        f'{division.seed}), {grouping.by}'
    )
    return found, [remark]


def _names(images: Sequence[Record]) -> list[str]:
    names = (image.get('file_name') for image in images)
    return [name if type(name) is str and name else f'#{i}' for i, name in enumerate(names)]


def _choose(
    whole: NormalPart, names: Sequence[str], division: Division
) -> tuple[Grouping, dict[str, tuple[str, ...]]]:
    """Choose the most cautious grouping of which no class is lost for training."""
    classes = [str(entry.get('name')) for entry in whole.data['categories']]
    unique = list(dict.fromkeys(names))
    same = _copies(whole, names)
    contents = _classes_of_images(whole.data, names)
    wanted = set[int]().union(*contents.values())
    options = group_names(unique, classes)
    for grouping in options:
        groups = joined(grouping.groups, same)
        parts = split_names(unique, division.share, division.seed, groups.__getitem__)
        trained = set[int]().union(*(contents.get(name, set()) for name in parts['train']))
        if (parts['val'] and trained == wanted) or grouping is options[-1]:
            break
    if not parts['val']:
        parts = split_names(unique, division.share, division.seed)
    return grouping, parts


def _copies(whole: NormalPart, names: Sequence[str]) -> list[list[str]]:
    """Find images with the same content."""
    paths = dict(zip(names, whole.paths, strict=True))
    return same_content((name, path) for name, path in paths.items() if path is not None)


def _classes_of_images(data: Record, names: Sequence[str]) -> dict[str, set[int]]:
    """Collect the classes in each image."""
    ids = {
        image['id']: name
        for image, name in zip(data['images'], names, strict=True)
        if type(image.get('id')) is int
    }
    found: dict[str, set[int]] = {}
    for entry in data['annotations']:
        image, category = entry.get('image_id'), entry.get('category_id')
        if type(image) is int and type(category) is int and image in ids:
            found.setdefault(ids[image], set()).add(category)
    return found


def _select(whole: NormalPart, names: Sequence[str], chosen: set[str]) -> NormalPart:
    """Select images and their annotations; both parts have all categories.

    Annotations without an image are in both parts, so that the check of each names them.
    """
    indices = [i for i, name in enumerate(names) if name in chosen]
    others = {
        image['id']
        for image, name in zip(whole.data['images'], names, strict=True)
        if name not in chosen and type(image.get('id')) is int
    }
    annotations = [
        entry
        for entry in whole.data['annotations']
        if type(entry.get('image_id')) is not int or entry['image_id'] not in others
    ]
    images = [whole.data['images'][i] for i in indices]
    return replace(
        whole,
        data={**whole.data, 'images': images, 'annotations': annotations},
        paths=tuple(whole.paths[i] for i in indices),
        ann_file=None,
        repairs=(),
    )
