"""Lengths in epochs and iterations: loop, validation, checkpoints, hooks, sampler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from effnet_dense.engine.config import load_config, shipped_configs
from effnet_dense.engine.config_files import read_config
from effnet_dense.engine.settings.epochs import set_epochs
from effnet_dense.engine.settings.iterations import set_iterations
from effnet_dense.settings import Settings
from tests.helpers.watched import train_watched


def config(**entries: Any) -> Config:
    """A training of 300 epochs."""
    loop = dict(type='EpochBasedTrainLoop', max_epochs=300, val_interval=10)
    return Config({'train_cfg': loop, **entries})


@pytest.mark.slow
def test_a_segmentor_by_iterations_trains_epochs(tmp_path: Path) -> None:
    """The loop counts epochs, each image is read once in each, and batches are full."""
    draw = np.random.default_rng(0)
    for part, count in (('train', 5), ('val', 2)):
        for kind, largest in (('images', 255), ('labels', 2)):
            folder = tmp_path / 'data' / kind / part
            folder.mkdir(parents=True)
            for number in range(count):
                shape = (64, 64, 3) if kind == 'images' else (64, 64)
                values = draw.integers(0, largest, shape, dtype=np.uint8)
                cv2.imwrite(str(folder / f'{number}.png'), values)
    small: dict[str, Any] = {
        'report': False,
        'model.backbone.init_cfg': None,
        'model.backbone.norm_eval': False,
        'train_dataloader.dataset.pipeline.2.scale': (64, 64),
        'train_dataloader.dataset.pipeline.3.crop_size': (64, 64),
    }
    settings = Settings(epochs=2, batch_size=2, workers=0)
    built = load_config(
        'effnet_lite0_fpn_camvid', tmp_path / 'data', small, tmp_path / 'run', settings=settings
    )
    assert built.optim_wrapper.optimizer.lr == pytest.approx(0.003 / 4)
    seen, runner = train_watched(built)
    assert seen.images == [2] * 4  # of five images, without a batch of one
    assert seen.validations == [2]  # at the end, as in the config
    assert seen.rates[-1] < 0.4 * 0.003 / 4
    assert (tmp_path / 'run' / 'epoch_2.pth').is_file()
    assert runner.log_processor.by_epoch


@pytest.mark.parametrize(
    ('own', 'new', 'switch', 'last', 'interval'),
    [(280, 30, 28, 2, 1), (280, 600, 560, 30, 10), (280, 1, 0, 0, 1), (280, 2, 1, 1, 1)],
)
def test_mosaics_end_before_the_training(
    own: int, new: int, switch: int, last: int, interval: int
) -> None:
    built = config(
        custom_hooks=[
            dict(type='mmdet.PipelineSwitchHook', switch_epoch=own, switch_pipeline=[]),
            dict(type='YOLOXModeSwitchHook'),
        ]
    )
    built.train_cfg.dynamic_intervals = [(280, 1)]
    set_epochs(built, new)
    assert built.custom_hooks[0].switch_epoch == switch
    assert built.custom_hooks[1].num_last_epochs == last
    assert built.train_cfg.val_interval == interval
    assert built.train_cfg.dynamic_intervals[0][1] == 1
    with pytest.raises(ValueError, match='PipelineSwitchHook, switches pipelines at an epoch'):
        set_iterations(built, 100)


@pytest.mark.parametrize(('new', 'first'), [(12, 4), (36, 12), (5, 2), (2, 1), (1, 0)])
def test_alignment_starts_at_the_same_share(new: int, first: int) -> None:
    built = load_config('effnet_b0_tood_coco', settings=Settings(epochs=new))
    assert built.model.train_cfg.initial_epoch == first


def test_alignment_needs_epochs() -> None:
    with pytest.raises(ValueError, match=r'^--iterations 90: model\.train_cfg\.initial_epoch=4'):
        load_config('effnet_b0_tood_coco', settings=Settings(iterations=90))


def test_checkpoints_and_averages() -> None:
    built = config(
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', interval=20, save_last=False, save_begin=100),
            logger=dict(type='LoggerHook', interval=50),
        ),
        custom_hooks=[
            dict(type='EMAHook', begin_epoch=30, momentum=0.0002),
            dict(type='EMAHook', ema_type='ExpMomentumEMA', momentum=0.0002),
        ],
        log_processor=dict(type='LogProcessor', by_epoch=True),
    )
    set_epochs(built, 30)
    hook = built.default_hooks.checkpoint
    assert (hook.interval, hook.save_last, hook.save_begin) == (2, True, 10)
    assert built.custom_hooks[0].begin_epoch == 3
    assert built.custom_hooks[0].momentum == pytest.approx(0.002, rel=0.01)
    assert built.custom_hooks[1].momentum == 0.0002
    set_iterations(built, 90)
    assert (hook.interval, hook.by_epoch, built.log_processor.by_epoch) == (6, False, False)
    assert built.custom_hooks[0].begin_iter == 9 and 'begin_epoch' not in built.custom_hooks[0]
    assert built.default_hooks.logger.interval == 9
    assert built.train_cfg == dict(type='IterBasedTrainLoop', max_iters=90, val_interval=3)


def test_hooks_that_are_unknown_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    set_epochs(config(custom_hooks=[dict(type='Mine', start_epoch=100)]), 30)
    assert (
        'custom_hooks.0.start_epoch=100 counts epochs and is unchanged' in capsys.readouterr().out
    )


def test_a_training_without_validation_stays_without() -> None:
    built = config()
    built.train_cfg.update(val_begin=301)
    set_epochs(built, 5)
    assert built.train_cfg.val_begin == 6


@pytest.mark.parametrize(
    ('entries', 'reason'),
    [
        (dict(train_cfg=None), 'it does not train'),
        (dict(train_cfg=dict(type='MultiLoaderLoop', max_epochs=3)), 'got MultiLoaderLoop'),
        (dict(train_cfg=dict(type='EpochBasedTrainLoop')), 'train_cfg.max_epochs of at least 1'),
    ],
)
def test_what_has_no_length_is_refused(entries: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=f'--epochs 5: .*{reason}'):
        set_epochs(Config(entries), 5)


def test_sources_without_end_have_no_epochs() -> None:
    loop = dict(type='IterBasedTrainLoop', max_iters=90)
    sampler = dict(type='GroupMultiSourceSampler', batch_size=5)
    built = Config(dict(train_cfg=loop, train_dataloader=dict(sampler=sampler)))
    with pytest.raises(ValueError, match=r'mixes sources .* write --iterations'):
        set_epochs(built, 3)


@pytest.mark.parametrize('name', ['effnet_b3_fpn_ade20k', 'effnet_lite0_retinanet_finetune'])
def test_the_same_length_changes_nothing(name: str) -> None:
    before, after = (read_config(shipped_configs()[name]) for _ in range(2))
    loop = before.train_cfg
    if 'max_epochs' in loop:
        set_epochs(after, loop.max_epochs)
    else:
        set_iterations(after, loop.max_iters)
        after.default_hooks.logger.interval = before.default_hooks.logger.interval
    after.default_hooks.checkpoint.pop('save_last')
    assert after.to_dict() == before.to_dict()
