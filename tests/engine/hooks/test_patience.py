"""Training stops when the validation does not improve, and a resumed run counts on."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger

from effnet_dense.engine.hooks.patience import PatienceHook
from effnet_dense.engine.settings.patience import set_patience
from effnet_dense.settings import Settings
from tests.helpers.tiny import write_data
from tests.helpers.watched import tiny_config, train_watched

MAP = 'coco/bbox_mAP'


def stand_in(name: str) -> Any:
    """What the hook reads of a runner."""
    return SimpleNamespace(
        message_hub=MessageHub(name),
        train_loop=SimpleNamespace(stop_training=False),
        logger=MMLogger.get_instance('patience'),
    )


def stops_after(values: list[float], hook: PatienceHook, name: str = MAP) -> int | None:
    """Return the validation that stops the training; None if none does."""
    runner = stand_in(f'{id(hook)}')
    for number, value in enumerate(values, 1):
        hook.after_val_epoch(runner, {name: value})
        if runner.train_loop.stop_training:
            return number
    return None


@pytest.mark.parametrize(
    ('values', 'end'),
    [
        ([0.1, 0.2, 0.3, 0.4], None),
        ([0.1, 0.1, 0.1], 3),  # equal is not better
        ([0.3, 0.2, 0.4, 0.3, 0.35], 5),
        ([float('nan'), -1.0], 2),  # nothing was measured
        ([0.1, float('nan'), 0.2, 0.1], None),
    ],
)
def test_two_validations_without_a_better_result(values: list[float], end: int | None) -> None:
    assert stops_after(values, PatienceHook(2)) == end


def test_of_a_loss_the_smaller_is_better() -> None:
    assert stops_after([3.0, 2.0, 1.0, 1.5], PatienceHook(1), 'loss') == 4
    assert stops_after([3.0, 2.0], PatienceHook(1, MAP, 'less')) is None


def test_a_resumed_run_counts_on() -> None:
    runner = stand_in('resumed')
    PatienceHook(2).after_val_epoch(runner, {MAP: 0.5})
    PatienceHook(2).after_val_epoch(runner, {MAP: 0.4})
    assert not runner.train_loop.stop_training
    PatienceHook(2).after_val_epoch(runner, {MAP: 0.4})
    assert runner.train_loop.stop_training


@pytest.mark.parametrize('values', [dict(patience=0), dict(patience=1, rule='more')])
def test_arguments(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r'must be'):
        PatienceHook(**values)


def config(**checkpoint: Any) -> Config:
    """A training of 12 epochs with validations."""
    return Config(
        dict(
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=12, val_interval=2),
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=5, **checkpoint)),
            custom_hooks=[dict(type='EarlyStoppingHook', monitor='a'), dict(type='EMAHook')],
            val_cfg=dict(type='ValLoop'),
            val_dataloader=dict(batch_size=1),
            val_evaluator=dict(type='Any'),
        )
    )


def test_it_follows_what_the_best_checkpoint_does() -> None:
    built = config(save_best=['a/b', 'c'], rule='less')
    set_patience(built, 3)
    hook = dict(type='effnet_dense.PatienceHook', patience=3, monitor='a/b', rule='less')
    assert built.custom_hooks == [dict(type='EMAHook'), hook]
    assert built.default_hooks.checkpoint.interval == 2
    built = config(save_best='auto')
    set_patience(built, 3)
    assert built.custom_hooks[-1] == dict(type='effnet_dense.PatienceHook', patience=3)


@pytest.mark.parametrize(
    ('loop', 'patience', 'validations'),
    [
        (dict(max_epochs=1), 2, 1),
        (dict(max_epochs=5, val_interval=2), 3, 3),
        (dict(max_epochs=5, val_interval=2), 2, None),
        (dict(max_epochs=6, val_begin=5), 2, 2),
        (dict(max_iters=40, val_interval=10), 4, 4),
        (dict(max_iters=40, val_interval=10), 3, None),
    ],
)
def test_more_patience_than_validations(
    loop: dict[str, Any],
    patience: int,
    validations: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built = config()
    built.train_cfg = loop
    records: list[Any] = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'callHandlers', records.append)
    set_patience(built, patience)
    needs = f'--patience {patience} changes nothing: it needs {patience + 1} validations'
    expected = f'{needs}, the training has {validations}'
    found = [record.getMessage() for record in records]
    assert found == ([] if validations is None else [expected])


def test_a_training_without_validation_is_refused() -> None:
    built = config()
    built.val_evaluator = None
    with pytest.raises(ValueError, match=r'--patience 3: .* it lacks val_evaluator; leave it out'):
        set_patience(built, 3)


@pytest.mark.slow
def test_a_training_stops(tmp_path: Path) -> None:
    """Validated after epochs 2, 4 and 5; the second result is not better."""
    data, folder = write_data(tmp_path / 'data'), tmp_path / 'run'
    settings = Settings(epochs=5, patience=1, batch_size=4, workers=0)
    config = tiny_config(data, folder, settings)
    assert config.train_cfg.val_interval == 2
    seen, runner = train_watched(config, **{MAP: 0.5})
    assert seen.validations == [2, 4]
    assert runner.epoch == len(seen.images) == 4
    assert (folder / 'epoch_4.pth').is_file()
