"""A config with another image size, normalisation or model than the checkpoint was trained with."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from effnet_dense.engine.checks.saved_settings import compare_with_saved, differences
from effnet_dense.engine.config import load_config
from effnet_dense.inference import Predictor
from effnet_dense.utils.saved_config import KEY, config_text, plain
from tests.helpers.tiny_models import DETECTOR, detector, saved

TEST_SCALE = 'test_dataloader.dataset.pipeline.1.scale'


@pytest.fixture(scope='module')
def config() -> Config:
    """A shipped config."""
    return load_config(DETECTOR)


def changed(config: Config, key: str, value: Any) -> dict[str, str]:
    """What is said of a config that was trained with another value."""
    trained = copy.deepcopy(config)
    trained.merge_from_dict({key: value})
    return differences(plain(trained), plain(config))


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        (TEST_SCALE, (512, 512)),
        ('test_dataloader.dataset.pipeline.1.keep_ratio', False),
        ('train_dataloader.dataset.pipeline.2.scale', (512, 512)),
        ('train_dataloader.dataset.pipeline.3.crop_size', (512, 512)),
        ('model.data_preprocessor.mean', [1.0, 2.0, 3.0]),
        ('model.data_preprocessor.std', [1.0, 2.0, 3.0]),
        ('model.data_preprocessor.bgr_to_rgb', False),
        ('model.data_preprocessor.pad_size_divisor', 64),
        ('model.backbone.arch', 'lite1'),
        ('model.backbone.padding', 'symmetric'),
        ('model.backbone.norm_cfg.eps', 0.1),
        ('model.bbox_head.anchor_generator.octave_base_scale', 3),
        ('model.neck.start_level', 1),
    ],
)
def test_what_predictions_depend_on_is_named_with_both_values(
    key: str, value: Any, config: Config
) -> None:
    found = changed(config, key, value)
    assert list(found) == [key]
    before, after = re.fullmatch(r'(?:\S+) was (.+), is (.+)', found[key]).groups()  # type: ignore[union-attr]
    assert before == repr(plain({'x': value})['x']) != after


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('model.bbox_head.num_classes', 3),
        ('model.backbone.init_cfg', None),
        ('model.backbone.norm_eval', False),
        ('model.backbone.lean', 1),
        ('model.bbox_head.loss_cls.gamma', 1.0),
        ('model.test_cfg.score_thr', 0.5),
        ('train_dataloader.batch_size', 3),
        ('train_dataloader.dataset.data_root', 'elsewhere/'),
        ('optim_wrapper.optimizer.lr', 1.0),
    ],
)
def test_what_predictions_do_not_depend_on_is_left_out(
    key: str, value: Any, config: Config
) -> None:
    assert changed(config, key, value) == {}


@pytest.mark.parametrize(
    'other',
    [
        {},
        {'model': 3, 'test_dataloader': 'x', 'train_dataloader': [1]},
        {'model': {'backbone': [1], 'data_preprocessor': None}},
        {'test_dataloader': {'dataset': {'pipeline': [1, {'type': 3, 'scale': 1}]}}},
        {'test_dataloader': {'dataset': {'datasets': [], 'pipeline': {'a': 1}}}},
    ],
)
def test_any_json_can_be_compared(other: dict[str, Any], config: Config) -> None:
    differences(other, plain(config))
    differences(plain(config), other)
    assert differences(other, other) == {}


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the comparison logs."""
    lines: list[str] = []
    monkeypatch.setattr(
        'effnet_dense.engine.checks.saved_settings.print_log', lambda text, *_: lines.append(text)
    )
    return lines


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[..., Path]:
    """Write a checkpoint that carries a config."""

    def write(config: Config, text: str | None) -> Path:
        path = saved(config, tmp_path / 'epoch_1.pth')
        content = torch.load(path, weights_only=True)
        if text is not None:
            content['meta'][KEY] = text
        torch.save(content, path)
        return path

    return write


def test_predictors_warn_and_keep_the_users_choice(
    checkpoint: Callable[..., Path], logged: list[str]
) -> None:
    trained, used = detector(), detector()
    used.test_dataloader.dataset.pipeline[1].scale = (96, 96)
    path = checkpoint(trained, config_text(trained))
    predictor = Predictor(used, path, 'cpu')
    (line,) = logged
    assert f'{TEST_SCALE} was [64, 64], is [96, 96]' in line and 'epoch_1.pth' in line
    assert predictor.config.test_dataloader.dataset.pipeline[1].scale == (96, 96)
    logged.clear()
    Predictor(trained, path, 'cpu')
    assert logged == []


def test_another_backbone_is_an_error(config: Config) -> None:
    text = json.dumps({'model': {'backbone': {'type': 'EfficientNet', 'arch': 'b7'}}})
    with pytest.raises(
        ValueError, match=r"x\.pth is .* another model: .*arch was 'b7', is 'lite0'"
    ):
        compare_with_saved(config, {'meta': {KEY: text}}, 'x.pth')


def test_older_checkpoints_pass_and_damaged_ones_are_named(
    logged: list[str], config: Config
) -> None:
    for checkpoint in ({}, {'meta': {}}, {'meta': None}, [1]):
        compare_with_saved(config, checkpoint, 'x.pth')
    assert logged == []
    for text in (3, '[1]', '{', None):
        compare_with_saved(config, {'meta': {KEY: text}}, 'x.pth')
        assert 'the config in x.pth is not compared' in logged.pop()
