"""Explained files: drawings, and what is left out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from effnet_dense.commands.main import main
from effnet_dense.inference import Predictor
from effnet_dense.inference.explaining.explainer import Explainer
from effnet_dense.inference.explaining.files import explain_files
from tests.helpers.tiny_models import DETECTOR, SMALL, detector, saved


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of an image, a broken one and a video."""
    folder = tmp_path / 'images'
    (folder / 'a').mkdir(parents=True)
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    cv2.imwrite(str(folder / 'a' / '1.png'), image)
    (folder / '2.png').write_bytes(b'no image')
    (folder / '3.mp4').write_bytes(b'')
    return folder


def test_drawings_mirror_the_folder(images: Path, detecting: Predictor, tmp_path: Path) -> None:
    out = tmp_path / 'maps'
    skipped = explain_files(Explainer(detecting), [images], out, top=3, score_thr=0)
    assert [path.relative_to(out) for path in out.rglob('*.png')] == [Path('a/1.png')]
    drawn = cv2.imread(str(out / 'a' / '1.png'))
    assert drawn is not None and drawn.shape == (132, 132, 3)
    video, broken = skipped
    assert '3.mp4 is a video' in video and '2.png' in broken


def test_inputs_are_not_replaced(images: Path, detecting: Predictor) -> None:
    with pytest.raises(ValueError, match=r'2\.png'):
        explain_files(Explainer(detecting), [images], images)


def test_the_command(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], quiet_loggers: None
) -> None:
    checkpoint = saved(detector(), tmp_path / 'epoch_1.pth')
    given = ['explain', DETECTOR, checkpoint, images / 'a', '--out', tmp_path / 'out']
    words = [*map(str, given), '--device', 'cpu', '--score-thr', '0', *SMALL]
    assert main(words) == 0
    assert capsys.readouterr().out == f'drawings: {tmp_path / "out"}\n'
    assert (tmp_path / 'out' / '1.png').is_file()


def test_exported_files_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / 'model.onnx').write_bytes(b'')
    assert main(['explain', str(tmp_path / 'model.onnx'), str(tmp_path)]) == 2
    assert 'an exported file has no gradients' in capsys.readouterr().err
