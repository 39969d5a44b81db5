"""Compare what a reader found with the dataset that was written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest

from effnet_dense.data.formats import FoundData, FoundSplit
from tests.helpers.export_source import Coco, Part, decoded, merged

Object = tuple[str, list[float], Coco]


def expect_equal(
    found: FoundData, parts: Mapping[str, Part], masks: bool, rounding: float = 0.0
) -> None:
    """Check images, classes, boxes and masks; a dataset with one part has all of `parts`."""
    if set(found.splits) == {'all'}:
        sources = {'all': merged(parts)}
    else:
        sources = {name: part.coco for name, part in parts.items()}
    assert set(found.splits) == set(sources)
    for name, source in sources.items():
        _expect_equal(found.splits[name], source, masks, rounding)


def _expect_equal(split: FoundSplit, source: Coco, masks: bool, rounding: float) -> None:
    expected, got = objects(source), objects(split.data)
    assert sorted(got) == sorted(expected)
    sizes = {image['file_name']: image for image in source['images']}
    for name, known in expected.items():
        assert [label for label, _, _ in got[name]] == [label for label, _, _ in known]
        for (_, box, mine), (_, other, theirs) in zip(got[name], known, strict=True):
            assert box == pytest.approx(other, abs=rounding)
            assert mine['iscrowd'] == theirs['iscrowd']
            if masks:
                one, two = decoded(mine, sizes[name]), decoded(theirs, sizes[name])
                np.testing.assert_array_equal(one, two)
            else:
                assert not mine.get('segmentation')


def objects(coco: Coco) -> dict[str, list[Object]]:
    """Image's last name → its objects' class, box and annotation, in the order of the source."""
    labels = {category['id']: category['name'] for category in coco['categories']}
    names = {image['id']: last_name(image['file_name']) for image in coco['images']}
    found: dict[str, list[Object]] = {name: [] for name in names.values()}
    for annotation in coco['annotations']:
        label = labels[annotation['category_id']]
        found[names[annotation['image_id']]].append((label, annotation['bbox'], annotation))
    return found


def last_name(file_name: str) -> str:
    """The name without folders, whatever separates them."""
    return PureWindowsPath(file_name).name


def images_exist(split: FoundSplit) -> bool:
    """Whether all images are in the first folder, by their last names."""
    folder: Path = split.image_dirs[0]
    names = [image['file_name'] for image in split.data['images']]
    return all((folder / name).is_file() or (folder / last_name(name)).is_file() for name in names)
