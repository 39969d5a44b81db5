"""Drawings of samples as training sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import pytest

from effnet_dense.engine.browse import (
    browse,
    build_loader,
    contact_sheet,
    draw_objects,
    epoch_indices,
)
from effnet_dense.engine.config import load_config
from tests.helpers.coco_folder import write_folder
from tests.helpers.tool import call

DETECTOR = 'effnet_lite0_retinanet_finetune'


@pytest.mark.parametrize('split', ['train', 'val'])
def test_boxes_are_drawn(tmp_path: Path, split: str) -> None:
    config = load_config(DETECTOR, write_folder(tmp_path / 'set'))
    paths = browse(config, tmp_path / 'out', 5, split=split)
    assert [path.name for path in paths] == sorted(path.name for path in paths)
    assert {path.name[5:] for path in paths[:-1]} == {'a.jpg', 'b.jpg'}
    for path in paths[:-1]:  # images are of one grey; what is drawn is not
        image = mmcv.imread(str(path)).astype(int)
        assert np.ptp(image, axis=2).max() > 50
    if split == 'val':
        assert mmcv.imread(str(paths[0])).shape[:2] in ((48, 64), (60, 80))


def test_drawings_belong_to_the_epoch(tmp_path: Path) -> None:
    config = load_config(DETECTOR, write_folder(tmp_path / 'set'))
    drawings = [
        [path.read_bytes() for path in browse(config, tmp_path / str(number), 2, epoch)]
        for number, epoch in enumerate((0, 0, 1))
    ]
    assert drawings[0] == drawings[1]
    assert set(drawings[0]).isdisjoint(drawings[2])


def test_an_endless_streams_epochs_follow_each_other(tmp_path: Path) -> None:
    options: dict[str, Any] = {'train_dataloader.sampler.type': 'InfiniteSampler'}
    config = load_config(DETECTOR, write_folder(tmp_path / 'set'), options)
    indices = list(epoch_indices(build_loader(config, 'train'), 3))
    assert sorted(indices) == [0, 1]
    assert [index.entropy[1] for index in indices] == [3, 3]  # type: ignore[attr-defined]


def test_a_contact_sheet_keeps_shapes() -> None:
    wide, high = np.zeros((10, 20, 3), np.uint8), np.full((40, 10, 3), 99, np.uint8)
    sheet = contact_sheet([wide, high, wide], cell=104)
    assert sheet.shape == (208, 208, 3)
    assert (sheet[2:52, 2:102] == 0).all()
    assert (sheet[2:102, 106:131] == 99).all()
    assert (sheet[:, 132:] == 255).all()


def test_the_tool_reports_what_it_cannot_draw(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match='2'):
        call('browse_dataset', DETECTOR, '--data', write_folder(tmp_path / 'set'), '--number', 0)
    assert "expected a whole number, at least 1, got '0'" in capsys.readouterr().err
    with pytest.raises(ValueError, match="an epoch from 0, got 'train', 0 and 0"):
        browse(load_config(DETECTOR), tmp_path / 'out', 0)


def test_objects_are_counted_at_the_size_of_training(tmp_path: Path) -> None:
    config = load_config(DETECTOR, write_folder(tmp_path / 'set'))
    path = draw_objects(config, tmp_path / 'out', 'train')
    assert path == tmp_path / 'out' / 'objects.png'
    assert mmcv.imread(str(path)).std() > 10
    config.train_dataloader.dataset.ann_file = 'gone.json'
    assert draw_objects(config, tmp_path / 'out', 'train') is None
