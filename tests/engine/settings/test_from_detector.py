"""`--from`: a complete model's weights, of which classes of the same name keep theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from effnet_dense.engine import class_rows
from effnet_dense.engine.config import load_config
from effnet_dense.engine.runner import Runner
from effnet_dense.settings import Settings
from effnet_dense.utils.saved_config import KEY, config_text
from tests.helpers.setting_runs import tiny_run
from tests.helpers.tiers import slow_except
from tests.helpers.tiny import narrow_retinanet, write_data
from tests.helpers.tiny_models import saved

NAME = 'effnet_lite0_retinanet_finetune'
OLD = ('ring', 'bar', 'cross')  # the data has square and bar
ANCHORS = 9
TRAINED_NORMS = {'model.backbone.norm_eval': False}  # the checkpoints have random weights


def source(name: str, path: Path, classes: tuple[str, ...], options: dict[str, Any]) -> Path:
    """Write a checkpoint of a model for other classes."""
    return saved(load_config(name, options=options), path, classes)


def started(config: Config, monkeypatch: pytest.MonkeyPatch) -> tuple[Runner, list[str]]:
    """Load the first weights as a training does, without a step; return what was logged."""
    lines: list[str] = []
    real = class_rows.message

    def message(*args: Any) -> str:
        lines.append(real(*args))
        return lines[-1]

    monkeypatch.setattr(class_rows, 'message', message)
    runner = Runner.from_cfg(config)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner._init_model_weights()
    runner.load_or_resume()
    return runner, lines


def test_rows_of_the_same_name_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_data(tmp_path / 'data', train=2, val=1)
    options = {**narrow_retinanet(), **TRAINED_NORMS}
    path = source(NAME, tmp_path / 'old.pth', OLD, options)
    settings = Settings(from_detector=str(path))
    config = tiny_run(NAME, data, tmp_path / 'run', settings, **options)
    runner, lines = started(config, monkeypatch)
    given = torch.load(path, weights_only=True)['state_dict']
    own = runner.model.state_dict()
    layer = 'bbox_head.retina_cls.weight'
    old = given[layer].unflatten(0, (ANCHORS, 3))
    new = own[layer].unflatten(0, (ANCHORS, 2))
    assert (new[:, 1] == old[:, 1]).all()  # bar
    assert not any((new[:, 0] == old[:, i]).all() for i in range(3))  # square
    equal = [key for key in own if key in given and own[key].shape == given[key].shape]
    assert all((own[key] == given[key]).all() for key in equal)
    assert len(equal) == len(own) - 2
    assert len(lines) == 1
    assert 'old.pth was trained with 3 classes (ring, bar, cross)' in lines[0]
    assert '1 of 2 classes keep their weights (bar); 1 begin anew (square)' in lines[0]


@pytest.mark.parametrize(
    'name',
    slow_except(
        (
            'efficientdet_lite0_finetune',
            'effnet_lite0_mask_rcnn_finetune',
            'effnet_lite0_fpn_camvid',
        )
    ),
)
def test_other_heads(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_data(tmp_path / 'data', train=2, val=1)
    path = source(name, tmp_path / 'old.pth', OLD, {})
    config = tiny_run(
        name, data, tmp_path / 'run', Settings(from_detector=str(path)), **TRAINED_NORMS
    )
    runner, lines = started(config, monkeypatch)
    assert '(bar)' in lines[0]
    assert 'begin anew for all classes' not in lines[0]
    given, own = torch.load(path, weights_only=True)['state_dict'], runner.model.state_dict()
    if name.endswith('camvid'):
        index = config.train_dataloader.dataset.metainfo['classes'].index('bar')
        key = 'decode_head.conv_seg.weight'
        assert (own[key][index] == given[key][1]).all()
    elif 'mask' in name:
        for key in ('roi_head.bbox_head.fc_cls.bias', 'roi_head.mask_head.conv_logits.bias'):
            assert own[key][1] == given[key][1]
        boxes = 'roi_head.bbox_head.fc_reg.weight'
        assert (own[boxes][4:8] == given[boxes][4:8]).all()
        background = 'roi_head.bbox_head.fc_cls.weight'
        assert (own[background][-1] == given[background][-1]).all()


def test_the_same_classes_are_loaded_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_data(tmp_path / 'data', train=2, val=1)
    options = {**narrow_retinanet(), **TRAINED_NORMS}
    path = source(NAME, tmp_path / 'old.pth', ('square', 'bar'), options)
    config = tiny_run(NAME, data, tmp_path / 'run', Settings(from_detector=str(path)), **options)
    runner, lines = started(config, monkeypatch)
    given, own = torch.load(path, weights_only=True)['state_dict'], runner.model.state_dict()
    assert lines == []
    assert all((own[key] == given[key]).all() for key in own)


def test_a_work_folder_gives_its_best_checkpoint(tmp_path: Path) -> None:
    for name in ('epoch_3.pth', 'best_coco_bbox_mAP_epoch_2.pth'):
        torch.save({'state_dict': {}}, tmp_path / name)
    config = load_config(NAME, settings=Settings(from_detector=str(tmp_path)))
    assert config.load_from == str(tmp_path / 'best_coco_bbox_mAP_epoch_2.pth')
    assert config.load_from_rows
    assert config.model.backbone.init_cfg is None


def test_normalisation_is_that_of_the_run(tmp_path: Path) -> None:
    trained = load_config(NAME, settings=Settings(weights='torchvision://efficientnet_b0'))
    torch.save({'state_dict': {}, 'meta': {KEY: config_text(trained)}}, tmp_path / 'a.pth')
    config = load_config(NAME, settings=Settings(from_detector=str(tmp_path / 'a.pth')))
    assert config.model.data_preprocessor.mean == pytest.approx([123.675, 116.28, 103.53])


def test_another_backbone_is_an_error(tmp_path: Path) -> None:
    trained = load_config(NAME, settings=Settings(backbone='b0', weights='none'))
    torch.save({'state_dict': {}, 'meta': {KEY: config_text(trained)}}, tmp_path / 'a.pth')
    chosen = str(tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='has the backbone b0, this config lite0: add --backbone'):
        load_config(NAME, settings=Settings(from_detector=chosen))
    settings = Settings(from_detector=chosen, backbone='b0')
    assert load_config(NAME, settings=settings).load_from == chosen


def test_missing_files() -> None:
    with pytest.raises(FileNotFoundError, match=r"--from: no file or work folder 'absent\.pth'"):
        load_config(NAME, settings=Settings(from_detector='absent.pth'))
