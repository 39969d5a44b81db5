"""The batch size, given or the largest that fits, and the learning rate with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from mmengine.config import Config

from effnet_dense.analysis.memory import fitting
from effnet_dense.analysis.memory.peak import Peak
from effnet_dense.engine.settings import batch_size as module
from effnet_dense.engine.settings.batch_size import limit, set_batch_size
from effnet_dense.engine.settings.epochs import set_epochs
from effnet_dense.engine.settings.free_memory import FreeMemory, free_memory
from effnet_dense.engine.settings.learning_rate import set_learning_rate
from effnet_dense.settings import Settings
from effnet_dense.utils import available_memory as memory_module
from tests.helpers.tiny import write_data
from tests.helpers.watched import tiny_config

GIB = 2**30


def config(**entries: Any) -> Config:
    """A training with 4 images per step at a rate for 16."""
    optimizer = dict(type='AdamW', lr=0.01)
    loader = dict(batch_size=4, dataset=dict(type='Any'))
    schedule = dict(type='CosineAnnealingLR', eta_min=0.001, T_max=12)
    given = dict(
        optim_wrapper=dict(type='OptimWrapper', optimizer=optimizer),
        train_dataloader=loader,
        param_scheduler=[schedule],
        auto_scale_lr=dict(enable=False, base_batch_size=16),
    )
    return Config(given | entries)


def test_the_rate_scales_from_the_batch_that_it_is_meant_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    built = config()
    set_batch_size(built, 8)
    assert built.train_dataloader.batch_size == 8
    assert built.optim_wrapper.optimizer.lr == 0.005
    assert built.param_scheduler[0].eta_min == 0.0005
    assert built.auto_scale_lr == dict(enable=False, base_batch_size=8)  # not scaled again
    assert '0.01, which is meant for 16, is scaled linearly to 0.005' in capsys.readouterr().out


def test_without_a_base_the_rate_scales_from_the_own_batch() -> None:
    built = config(auto_scale_lr=None)
    set_batch_size(built, 2)
    assert built.optim_wrapper.optimizer.lr == 0.005
    assert built.get('auto_scale_lr') is None


def test_processes_and_accumulation_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('WORLD_SIZE', '2')
    built = config(launcher='pytorch')
    built.optim_wrapper.accumulative_counts = 4
    set_batch_size(built, 2)
    assert built.optim_wrapper.optimizer.lr == 0.01  # 2 × 2 × 4 images
    assert built.optim_wrapper.accumulative_counts == 4


def test_a_given_rate_stays() -> None:
    built = config()
    set_batch_size(built, 8, keep_rate=True)
    set_learning_rate(built, 0.02)
    assert built.optim_wrapper.optimizer.lr == 0.02
    assert built.param_scheduler[0].eta_min == 0.002
    assert built.auto_scale_lr.base_batch_size == 8


@pytest.mark.parametrize(
    ('entries', 'reason'),
    [
        (dict(train_dataloader=None), 'it does not train'),
        (dict(optim_wrapper=None), 'it does not train'),
        (
            dict(optim_wrapper=dict(a=dict(optimizer=dict(lr=1)), b=dict(optimizer=dict(lr=1)))),
            r'got those of a, b; write --cfg-options optim_wrapper\.NAME\.optimizer\.lr',
        ),
        (dict(optim_wrapper=dict(optimizer=dict(type='SGD'))), r'optim_wrapper\.optimizer\.lr'),
    ],
)
def test_what_has_no_single_rate_is_refused(entries: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=f'--batch-size 2: .*{reason}'):
        set_batch_size(config(**entries), 2)
    if 'train_dataloader' not in entries:
        with pytest.raises(ValueError, match=f'--lr 0.1: .*{reason}'):
            set_learning_rate(config(**entries), 0.1)


@pytest.mark.parametrize('rate', [0.0, -1.0, float('nan'), float('inf')])
def test_a_rate_is_a_number_above_zero(rate: float) -> None:
    with pytest.raises(ValueError, match='expected a number above 0'):
        set_learning_rate(config(), rate)


def test_auto_takes_the_limit_of_the_data_where_it_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_data(tmp_path / 'data', train=3)
    monkeypatch.setattr(module, 'free_memory', lambda config: FreeMemory(9 * GIB, 6 * GIB, False))
    monkeypatch.setattr(
        fitting, 'predict_peak', lambda config, setup, gpu: Peak(setup, 5 * GIB, {}, 'forward')
    )
    settings = Settings(batch_size='auto', device='cpu')
    built = tiny_config(data, tmp_path / 'run', settings)
    assert built.train_dataloader.batch_size == 3  # images; the config's batch has 4
    assert built.optim_wrapper.optimizer.lr == pytest.approx(0.001 * 3 / 4)
    assert '3 images per step, the limit for this data' in capsys.readouterr().out


def test_auto_takes_the_largest_batch_that_is_predicted_to_fit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        fitting,
        'predict_peak',
        lambda config, setup, gpu: Peak(setup, setup.batch_size * GIB, {}, 'forward'),
    )
    memory = FreeMemory(20 * GIB, 13 * GIB + 1, True)
    monkeypatch.setattr(module, 'free_memory', lambda config: memory)
    built = config(model=dict(data_preprocessor=dict(size=(8, 8))))
    set_batch_size(built, 'auto')
    assert built.train_dataloader.batch_size == 13
    assert (
        '13 images per step, the largest that fits into 13.0 GiB, of 20.0 GiB free on the GPU'
        in (capsys.readouterr().out)
    )
    monkeypatch.setattr(module, 'free_memory', lambda config: FreeMemory(9, 6, True))
    with pytest.raises(ValueError, match='--batch-size auto: not even one image'):
        set_batch_size(built, 'auto')


@pytest.mark.slow
def test_auto_predicts_the_training_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(batch_size='auto', device='cpu', precision='bf16')
    monkeypatch.setattr(module, 'free_memory', lambda config: FreeMemory(9 * GIB, 6 * GIB, False))
    built = tiny_config(write_data(tmp_path / 'data', train=2), tmp_path / 'run', settings)
    assert built.train_dataloader.batch_size == 2


@given(st.integers(1, 64), st.none() | st.integers(0, 10**6), st.booleans())
@hypothesis_settings(max_examples=50)
def test_limits(own: int, images: int | None, gpu: bool) -> None:
    most = limit(own, images, gpu)
    assert most >= 1
    assert images is None or most <= max(images, 1)
    assert gpu or most <= own
    assert images is None or most <= own or images // most >= 10


def test_a_container_limits_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meminfo = tmp_path / 'meminfo'
    meminfo.write_text('MemTotal: 16000000 kB\nMemAvailable:    8000000 kB\n', encoding='utf-8')
    limit_file, used = tmp_path / 'max', tmp_path / 'current'
    monkeypatch.setattr(memory_module, 'MEMINFO', meminfo)
    monkeypatch.setattr(memory_module, 'CGROUPS', ((str(limit_file), str(used)),))
    cpu = Config(dict(device='cpu'))
    assert free_memory(cpu).free == 8_000_000 * 1024
    limit_file.write_text('max\n', encoding='utf-8')
    used.write_text('1000\n', encoding='utf-8')
    assert free_memory(cpu).free == 8_000_000 * 1024
    limit_file.write_text('5000\n', encoding='utf-8')
    assert (free_memory(cpu).free, free_memory(cpu).usable) == (4000, 2800)
    meminfo.unlink()
    with pytest.raises(ValueError, match='--batch-size auto: expected the free memory in'):
        free_memory(cpu)


def test_the_configs_own_rate_and_length_change_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    loop = dict(type='EpochBasedTrainLoop', max_epochs=3, val_interval=1)
    warm_up = dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=500)
    given = dict(train_cfg=loop, auto_scale_lr=dict(base_batch_size=4), param_scheduler=[warm_up])
    built = config(**given)
    expected = built.to_dict()
    set_learning_rate(built, built.optim_wrapper.optimizer.lr)
    set_epochs(built, built.train_cfg.max_epochs)
    assert built.pop('max_warm_up') == 0.1, 'long warm-ups are cut at every length'
    assert expected.items() <= built.to_dict().items()
    assert capsys.readouterr().out.count(': as in the config') == 2
