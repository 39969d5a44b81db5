"""Exports as they come: training, testing and browsing, which leave them as they are."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.helpers.exports import EXPORTS, sample
from tests.helpers.tiny import as_arguments, narrow_retinanet, options
from tests.helpers.tiny_models import DETECTOR
from tests.helpers.tool import call

SMALL = as_arguments(
    {**options(), **narrow_retinanet(), 'default_hooks.visualization.score_thr': 0.0}
)


def digests(folder: Path) -> dict[Path, str]:
    files = (path for path in sorted(folder.rglob('*')) if path.is_file())
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.slow
@pytest.mark.parametrize('name', ['Roboflow COCO', 'CVAT XML'])
def test_train_test_and_browse(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], quiet_loggers: None
) -> None:
    parts, masks = sample(tmp_path / 'source'), bool(EXPORTS[name].masks)
    both = EXPORTS[name].write(tmp_path / 'both', parts, masks)
    val = EXPORTS[name].write(tmp_path / 'val', {'val': parts['val']}, masks)
    before, run = digests(both) | digests(val), tmp_path / 'run'
    assert call('train', DETECTOR, '--data', both, '--work-dir', run, *SMALL) == 0
    for number, folder in enumerate((both, val)):  # the same result without the training part
        words = (
            '--work-dir',
            tmp_path / f'test{number}',
            '--show-dir',
            tmp_path / f'shown{number}',
        )
        checkpoint = run / 'epoch_1.pth'
        assert call('test', DETECTOR, checkpoint, '--data', folder, *words, *SMALL) == 0
        assert len([*(tmp_path / f'shown{number}').rglob('*.png')]) == 3
    shown = tmp_path / 'browse'
    words = ('--number', 2, '--out', shown, '--work-dir', tmp_path / 'browsed')
    assert call('browse_dataset', DETECTOR, '--data', both, *words, *SMALL) == 0
    assert {'sheet.jpg', 'objects.png'} < {path.name for path in shown.iterdir()}
    said = capfd.readouterr()
    results = [line for line in said.out.splitlines() if line.startswith('3 images, box AP')]
    assert len(results) == 2 and results[0] == results[1]
    assert 'Traceback' not in said.out + said.err
    assert digests(both) | digests(val) == before
