"""`LabelMapDataset` compared with mmseg's own dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmengine.registry import DATASETS
from mmseg.datasets import BaseSegDataset

from effnet_dense.data.label_maps.dataset import LabelMapDataset
from tests.helpers.label_folder import CLASSES, write_folder


def arguments(root: Path) -> dict[str, Any]:
    return {
        'data_root': str(root),
        'data_prefix': {'img_path': 'images/val', 'seg_map_path': 'labels/val'},
        'metainfo': {'classes': CLASSES},
    }


def test_is_registered(tmp_path: Path) -> None:
    options = {'type': 'effnet_dense.LabelMapDataset', **arguments(write_folder(tmp_path))}
    assert type(DATASETS.build(options)) is LabelMapDataset


def test_samples_are_mmsegs(tmp_path: Path) -> None:
    options = arguments(write_folder(tmp_path))
    ours, mmsegs = LabelMapDataset(**options), BaseSegDataset(**options)
    assert ours.get_data_info(0) == mmsegs.get_data_info(0)
    assert len(ours) == len(mmsegs) == 1
    assert ours.metainfo == mmsegs.metainfo


def test_no_pair(tmp_path: Path) -> None:
    (write_folder(tmp_path) / 'labels/val/c.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'label maps in .*labels/val, got no pair'):
        LabelMapDataset(**arguments(tmp_path))
