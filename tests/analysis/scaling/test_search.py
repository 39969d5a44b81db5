"""The search: what it trains, what it reads, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from effnet_dense.analysis.scaling import search as module
from effnet_dense.analysis.scaling import short_training
from effnet_dense.analysis.scaling.grid import BASE, Candidate
from effnet_dense.analysis.scaling.search import Result, Search, best_result
from effnet_dense.analysis.scaling.search_report import (
    PHIS,
    chance_warning,
    draw,
    phi_row,
    phi_rows,
)
from effnet_dense.analysis.scaling.short_training import (
    default_metric,
    set_training_steps,
    train_and_evaluate,
)
from effnet_dense.engine.config import load_config

DEEP, WIDE = Candidate(1.4, 1.0, 1.2), Candidate(1.0, 1.4, 1.0)
REACHED = {BASE: 0.1, DEEP: 0.3, WIDE: 0.2}


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """In place of trainings: the folders of those that would have run."""
    folders: list[str] = []

    def pretend(config: Any, folder: Path, metric: str) -> float:
        folders.append(folder.name)
        folder.mkdir()
        return {candidate.name: value for candidate, value in REACHED.items()}[folder.name]

    monkeypatch.setattr(module, 'train_and_evaluate', pretend)
    return folders


def a_search(folder: Path, **options: Any) -> Search:
    options = dict(steps=4, size=64) | options
    return Search(load_config('efficientdet_lite0_finetune'), folder, **options)


def test_finished_candidates_are_read(tmp_path: Path, trained: list[str]) -> None:
    found = a_search(tmp_path / 's').run([DEEP, WIDE])
    assert trained == [BASE.name, DEEP.name, WIDE.name]
    assert [result.metric for result in found] == [0.1, 0.3, 0.2]
    assert best_result(found).candidate == DEEP
    assert [result.size for result in found] == [(64, 64), (80, 80), (64, 64)]
    # All but stem and head of a Lite are scaled: FLOPs grow with the budget, about.
    assert found[0].gflops < found[1].gflops < 2.5 * found[0].gflops
    (tmp_path / 's' / WIDE.name / 'result.json').unlink()  # as if killed there
    (tmp_path / 's' / WIDE.name).rmdir()
    again = a_search(tmp_path / 's').run([DEEP, WIDE], resume=True)
    assert trained[3:] == [WIDE.name]
    assert again == found


def test_a_folder_of_another_search(tmp_path: Path, trained: list[str]) -> None:
    a_search(tmp_path).run([])
    with pytest.raises(FileExistsError, match='resume it with --resume auto'):
        a_search(tmp_path).run([])
    with pytest.raises(ValueError, match=r"holds a search of .*'steps': 4.*, got .*'steps': 5"):
        a_search(tmp_path, steps=5).run([], resume=True)
    with pytest.raises(ValueError, match='no candidate but the unscaled'):
        best_result(a_search(tmp_path).run([], resume=True))


def test_a_phi_is_a_power(tmp_path: Path) -> None:
    row = phi_row(a_search(tmp_path), Candidate(1.2, 1.1, 1.15), 2)
    assert (row['width'], row['depth']) == (pytest.approx(1.21), pytest.approx(1.44))
    assert row['size'] == (88, 88)  # 64 · 1.15² = 84.6
    assert row['gflops'] > phi_row(a_search(tmp_path), Candidate(1.2, 1.1, 1.15), 0)['gflops']


def test_a_chart(tmp_path: Path) -> None:
    results = [
        Result(candidate, (64, 64), {}, 1, 0.1, value) for candidate, value in REACHED.items()
    ]
    draw(results, 'mIoU', tmp_path / 'chart.png')
    assert (tmp_path / 'chart.png').read_bytes()[:4] == b'\x89PNG'


def test_short_trainings() -> None:
    config = load_config('efficientdet_lite0_finetune')
    set_training_steps(config, 20)
    assert config.train_cfg == dict(type='IterBasedTrainLoop', max_iters=20, val_interval=20)
    warm, cosine = config.param_scheduler
    assert (warm['end'], cosine['begin'], cosine['end'], cosine['T_max']) == (2, 2, 20, 18)
    with pytest.raises(ValueError, match='steps must be at least 1, got 0'):
        set_training_steps(config, 0)


def test_the_configs_metric() -> None:
    assert default_metric(load_config('efficientdet_lite0_finetune')) == 'coco/bbox_mAP'
    config = load_config('effnet_lite0_fpn_camvid')
    assert default_metric(config) == 'mIoU'
    config.val_evaluator = dict(type='Other')
    with pytest.raises(ValueError, match=r"--metric is needed.*\['Other'\]"):
        default_metric(config)


@pytest.mark.parametrize(
    ('metrics', 'message'),
    [
        ({'mIoU': float('nan')}, 'got nan: does the validation set have'),
        ({'aAcc': 1.0}, 'only aAcc'),
    ],
)
def test_without_a_metric_there_is_no_result(
    metrics: dict[str, float], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pretender:
        def register_hook(self, hook: Any) -> None:
            self.hook = hook

        def train(self) -> None:
            self.hook.after_val_epoch(self, metrics)

    monkeypatch.setattr(short_training, 'check_data_files', lambda config, splits: None)
    monkeypatch.setattr(short_training, 'build_runner', lambda config: Pretender())
    with pytest.raises((ValueError, KeyError), match=message):
        train_and_evaluate(load_config('effnet_lite0_fpn_camvid'), tmp_path, 'mIoU')


def test_results_are_json(tmp_path: Path, trained: list[str]) -> None:
    (base,) = a_search(tmp_path).run([])
    content = json.loads((tmp_path / BASE.name / 'result.json').read_text())
    assert content['candidate'] == dict(alpha=1.0, beta=1.0, gamma=1.0)
    assert content['gflops'] == base.gflops


def test_phis_end_where_nothing_can_be_built(tmp_path: Path) -> None:
    rows = phi_rows(a_search(tmp_path), Candidate(2.0, 1.0, 1.0))
    assert [row['phi'] for row in rows] == [0, 1, 2, 3, 4]  # at 5, 32 times as deep
    assert len(phi_rows(a_search(tmp_path), Candidate(1.1, 1.0, 1.0))) == len(PHIS)


def test_a_best_by_chance_is_reported() -> None:
    def found(value: float) -> list[Result]:
        metrics = {BASE: 0.1, DEEP: value}
        return [Result(one, (64, 64), {}, 1, 0.1, metric) for one, metric in metrics.items()]

    assert 'within 5% of the unscaled network' in (chance_warning(found(0.104)) or '')
    assert chance_warning(found(0.106)) is None


def test_other_options_are_another_search(tmp_path: Path, trained: list[str]) -> None:
    a_search(tmp_path).run([])
    other = a_search(tmp_path)
    other.config.train_dataloader.batch_size = 3
    with pytest.raises(ValueError, match='holds a search of'):
        other.run([], resume=True)
