"""Parts are recognised by words in names of files and folders."""

from __future__ import annotations

import pytest

from effnet_dense.data.formats.parts import part_of, part_of_folder


@pytest.mark.parametrize(
    ('name', 'part'),
    [
        ('instances_train2017', 'train'),
        ('instances_Validation', 'val'),
        ('TRAIN', 'train'),
        ('my-valid_v2', 'val'),
        ('myDevSet', 'val'),
        ('test-annotations-bbox', 'test'),
        ('trainval', None),
        ('train_and_val', None),
        ('trains', None),
        ('interval', None),
        ('latest', None),
        ('', None),
    ],
)
def test_files(name: str, part: str | None) -> None:
    assert part_of(name) == part


@pytest.mark.parametrize(
    ('name', 'part'),
    [
        ('train', 'train'),
        ('Train2017', 'train'),
        ('val_2014', 'val'),
        ('VALIDATION', 'val'),
        ('test', 'test'),
        ('my train', None),
        ('train1', None),
        ('testing_room', None),
    ],
)
def test_folders(name: str, part: str | None) -> None:
    assert part_of_folder(name) == part
