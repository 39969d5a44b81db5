"""Training from Python: what was built and run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import effnet_dense
from effnet_dense.api.run import Run
from effnet_dense.api.training import names, sides
from effnet_dense.report.scalars import read_scalars

CONFIG = 'effnet_lite0_retinanet_finetune'


def test_it_trains_as_long_as_it_is_told(api_run: Run) -> None:
    steps = read_scalars(api_run.folder).training
    assert [row['epoch'] for row in steps] == [1, 1, 2, 2]
    assert api_run.last.name == 'epoch_2.pth'
    assert api_run.classes == ('square', 'bar')


def test_a_folder_with_a_run_is_not_overwritten(api_run: Run, api_data: Path) -> None:
    with pytest.raises(FileExistsError, match='resume'):
        effnet_dense.train(CONFIG, api_data, work_dir=api_run.folder)


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(epochs=0), 'epochs must be a whole number, at least 1, got 0'),
        (dict(epochs=1, iterations=1), 'epochs or iterations, got both'),
        (dict(image_size=(1, 2, 3)), r'image_size must be a side or \(width, height\)'),
        (dict(image_size=True), 'image_size'),
        (dict(classes='person'), "classes must be a list of names, got 'person'"),
        (dict(loggers=('paper',)), 'loggers must be of tensorboard, wandb, mlflow'),
        (dict(precision='fp8'), 'precision must be of fp32, fp16, bf16'),
        (dict(options={'modell.backbone.arch': 'b1'}), 'modell'),
    ],
)
def test_wrong_values_end_before_anything_is_written(
    arguments: dict[str, Any], message: str, api_data: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        effnet_dense.train(CONFIG, api_data, work_dir=tmp_path / 'new', **arguments)
    assert not (tmp_path / 'new').exists()


def test_unknown_configs_and_data(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='effnet_lite0_retinanet_finetune'):
        effnet_dense.train('effnet_lite0_retinanet_finetun', tmp_path)
    with pytest.raises(FileNotFoundError, match='absent'):
        effnet_dense.train(CONFIG, tmp_path / 'absent', work_dir=tmp_path / 'new')


def test_sides_and_names() -> None:
    assert sides(320) == (320, 320)
    assert sides([416, 320]) == (416, 320)
    assert names('classes', ['a', 'b']) == ('a', 'b')
    with pytest.raises(ValueError, match='classes must be a list of names'):
        names('classes', [1])  # type: ignore[list-item]
