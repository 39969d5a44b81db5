"""Every tool's export is recognised and read equal to its source."""

from __future__ import annotations

from pathlib import Path

import pytest

from effnet_dense.data.formats.detect import find_dataset
from tests.helpers.exports import EXPORTS, sample
from tests.helpers.found import expect_equal, images_exist


@pytest.mark.parametrize('masks', [False, True], ids=['boxes', 'masks'])
@pytest.mark.parametrize('name', EXPORTS)
def test_reads_every_export(name: str, masks: bool, tmp_path: Path) -> None:
    export = EXPORTS[name]
    parts = sample(tmp_path / 'source')
    if masks and not export.masks:
        pytest.skip('a format of boxes')
    root = export.write(tmp_path / 'set', parts, masks)
    found = find_dataset(root, tmp_path / 'unpacked')
    assert found.format == export.format
    assert found.root == root
    assert set(found.splits) == ({'train', 'val'} if export.parted else {'all'})
    expect_equal(found, parts, masks, export.rounding)
    assert all(images_exist(split) for split in found.splits.values())
    assert not (tmp_path / 'unpacked').exists()
