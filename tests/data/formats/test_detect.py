"""Every tool's export is recognised and read equal to its source."""

from __future__ import annotations

from pathlib import Path

import pytest

from effnet_dense.data.formats.detect import find_dataset
from tests.helpers.exports import EXPORTS, sample
from tests.helpers.found import expect_equal, images_exist

CASES = [
    (name, kind)
    for name, export in EXPORTS.items()
    for kind in ('boxes', 'polygons', 'runs')
    if kind == 'boxes' or export.masks in ('all', kind)
]


@pytest.mark.parametrize(('name', 'kind'), CASES)
def test_reads_every_export(name: str, kind: str, tmp_path: Path) -> None:
    export, masks = EXPORTS[name], kind != 'boxes'
    parts = sample(tmp_path / 'source', runs=kind == 'runs')
    root = export.write(tmp_path / 'set', parts, masks)
    found = find_dataset(root, tmp_path / 'unpacked')
    assert found.format == export.format
    assert found.root == root
    assert set(found.splits) == ({'train', 'val'} if export.parted else {'all'})
    expect_equal(found, parts, masks, export.rounding)
    assert all(images_exist(split) for split in found.splits.values())
    assert (tmp_path / 'unpacked').exists() == (name == 'labelme embedded')
