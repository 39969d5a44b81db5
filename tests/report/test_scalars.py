"""The runs of a training that was resumed, joined."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from effnet_dense.report.scalars import names, read_scalars, series


def write(folder: Path, start: str, rows: list[dict[str, Any]], end: str = '') -> None:
    path = folder / start / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(json.dumps(row) for row in rows) + end, encoding='utf-8')


def step(number: int, loss: float, epoch: int | None = None) -> dict[str, Any]:
    row = dict(lr=0.1, loss=loss, time=2.0, step=number, iter=number)
    return row if epoch is None else {**row, 'epoch': epoch}


def test_what_was_trained_again_is_dropped(tmp_path: Path) -> None:
    # Two steps an epoch; the first run was killed in its third epoch, after a checkpoint of two.
    first = [step(2, 5.0, 1), dict(mAP=0.1, step=1), step(4, 4.0, 2), dict(mAP=0.2, step=2)]
    write(tmp_path, '20260101_000000', [*first, step(5, 3.9, 3)], end='\n{"lr": 0.1, "lo')
    second = [step(5, 3.8, 3), step(6, 3.0, 3), dict(mAP=0.3, step=3)]
    write(tmp_path, '20260102_000000', second)
    found = read_scalars(tmp_path)
    assert series(found.training, 'loss') == ([2, 4, 5, 6], [5.0, 4.0, 3.8, 3.0])
    assert series(found.validation, 'mAP') == ([1, 2, 3], [0.1, 0.2, 0.3])
    assert found.by_epoch
    assert found.seconds == 12
    assert names(found.training) == ['lr', 'loss']


def test_a_training_from_the_start_replaces_the_one_before(tmp_path: Path) -> None:
    write(tmp_path, '1', [step(10, 2.0), step(20, 1.0), dict(mIoU=5.0, step=20)])
    write(tmp_path, '2', [step(10, 3.0)])
    found = read_scalars(tmp_path)
    assert series(found.training, 'loss') == ([10], [3.0])
    assert found.validation == [] and not found.by_epoch


def test_damaged_lines_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, '1', [step(1, 2.0)])
    with (tmp_path / '1' / 'vis_data' / 'scalars.json').open('ab') as file:
        file.write(
            b'\n\xff\xfe\x00\n[1]\n{"step": "y", "lr": 1}\n{"step": null}\n' + b'[' * 100_000
        )
        file.write(b'\n{"lr": 0.1, "loss": 1.0, "time": 1.0, "step": 2}\n')
    assert series(read_scalars(tmp_path).training, 'loss') == ([1, 2], [2.0, 1.0])
