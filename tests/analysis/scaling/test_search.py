"""The search: which candidates it trains, reads from its folder, or refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from effnet_dense.analysis.scaling import search as module
from effnet_dense.analysis.scaling.grid import BASE, Candidate
from effnet_dense.analysis.scaling.search import Search, best_result
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


@pytest.mark.slow
def test_finished_candidates_are_read(tmp_path: Path, trained: list[str]) -> None:
    found = a_search(tmp_path / 's').run([DEEP, WIDE])
    assert trained == [BASE.name, DEEP.name, WIDE.name]
    assert [result.metric for result in found] == [0.1, 0.3, 0.2]
    assert best_result(found).candidate == DEEP
    assert [result.size for result in found] == [(64, 64), (80, 80), (64, 64)]
    # All but stem and head of a Lite are scaled: FLOPs grow with the budget, about.
    assert found[0].gflops < found[1].gflops < 2.5 * found[0].gflops
    shutil.rmtree(tmp_path / 's' / WIDE.name)  # as if killed there
    again = a_search(tmp_path / 's').run([DEEP, WIDE], resume=True)
    assert trained[3:] == [WIDE.name]
    assert again == found


@pytest.mark.slow
def test_a_folder_of_another_search(tmp_path: Path, trained: list[str]) -> None:
    a_search(tmp_path).run([])
    with pytest.raises(FileExistsError, match='resume it with --resume auto'):
        a_search(tmp_path).run([])
    with pytest.raises(ValueError, match=r"holds a search of .*'steps': 4.*, got .*'steps': 5"):
        a_search(tmp_path, steps=5).run([], resume=True)
    with pytest.raises(ValueError, match='no candidate but the unscaled'):
        best_result(a_search(tmp_path).run([], resume=True))


def test_results_are_json(tmp_path: Path, trained: list[str]) -> None:
    (base,) = a_search(tmp_path).run([])
    content = json.loads((tmp_path / BASE.name / 'result.json').read_text(encoding='utf-8'))
    assert content['candidate'] == dict(alpha=1.0, beta=1.0, gamma=1.0)
    assert content['gflops'] == base.gflops


def test_other_options_are_another_search(tmp_path: Path, trained: list[str]) -> None:
    a_search(tmp_path).run([])
    other = a_search(tmp_path)
    other.config.train_dataloader.batch_size = 3
    with pytest.raises(ValueError, match='holds a search of'):
        other.run([], resume=True)
