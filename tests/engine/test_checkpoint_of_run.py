"""Testing on data of other classes than the checkpoint's."""

from __future__ import annotations

from pathlib import Path

import pytest

from effnet_dense.engine import jobs
from effnet_dense.engine.checkpoint_of_run import saved_classes
from effnet_dense.settings import Settings
from effnet_dense.weights import fetch
from tests.helpers import peers
from tests.helpers.released import release
from tests.helpers.setting_runs import tiny_run
from tests.helpers.tiny import write_data

SOURCE = 'effdet://tf_efficientdet_lite0'


def test_a_detector_of_coco_on_some_of_its_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its file names no classes; those of the data are found among COCO's by name."""
    peer = peers.build_effdet_detector('tf_efficientdet_lite0', (128, 128))
    release(peer, SOURCE, tmp_path / 'hub', monkeypatch)
    names, meta = saved_classes(SOURCE)
    assert (len(names), names[0], meta) == (80, 'person', None)
    assert saved_classes(str(fetch(SOURCE)))[0] == names
    data = write_data(tmp_path / 'data', train=1, val=2, classes=('car', 'person'))
    settings = Settings(image_size=(64, 64))
    config = tiny_run('efficientdet_lite0_coco', data, tmp_path / 'run', settings)
    assert jobs.test(config, SOURCE)['coco/bbox_mAP'] >= 0
    said = capsys.readouterr().out
    assert 'test_dataloader has 2 classes (car, person): predictions are mapped by name' in said
    assert '696 tensors loaded' in said
