"""What a training's log says, and where torch reports waits."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

from benchmarks.gpu.conditions import Conditions
from benchmarks.gpu.parts.loop import counted_waits
from benchmarks.gpu.trainings import Training, read_log, summary


def entry(loss: float, time: float) -> dict[str, float]:
    return dict(loss=loss, time=time, data_time=time / 2, memory=7)


def test_summary() -> None:
    losses = [4.0, 2.0, 3.0, 3.0, 2.0, 2.0, 1.0, 2.0]
    entries = [entry(loss, 9.0 if i < 4 else 0.5) for i, loss in enumerate(losses)]
    assert summary(entries) == {
        'steps': 8,
        'first loss': 3.0,
        'last loss': 1.5,
        'falls': 'yes',
        'ms/step': 500.0,
        'of it data': 250.0,
        'MiB': 7,
    }
    assert summary(entries[::-1])['falls'] == 'no'
    assert summary([]) == {'steps': 0}


def test_log(tmp_path: Path) -> None:
    conditions = Conditions(tmp_path, dry=True, started='now')
    folder = Training('a, b').folder(conditions)
    assert folder == tmp_path / 'runs' / 'now' / 'a_b'
    assert read_log(folder) == []
    file = folder / '1' / 'vis_data' / 'scalars.json'
    file.parent.mkdir(parents=True)
    lines = [entry(1.0, 1.0), {'coco/bbox_mAP': 0.5}]
    file.write_text('\n'.join(map(json.dumps, lines)), encoding='utf-8')
    assert read_log(folder) == lines[:1]


def test_waits_are_counted_by_their_place() -> None:
    with counted_waits() as seen:
        for _ in range(2):
            warnings.warn('called a synchronizing CUDA operation', stacklevel=1)
        warnings.warn('something else', stacklevel=1)
    assert seen == {'elsewhere': 2}
