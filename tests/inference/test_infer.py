"""A folder of predictions, and what pycocotools makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger
from pycocotools.coco import COCO

from effnet_dense.inference import Predictor, infer
from tests.helpers.tiny_models import CLASSES, detector, saved
from tests.helpers.tool import call

NOISE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images, one of them in a folder, a damaged one, and a video of three frames."""
    root = tmp_path / 'in'
    (root / 'deep').mkdir(parents=True)
    cv2.imwrite(str(root / 'a.png'), NOISE)
    cv2.imwrite(str(root / 'deep' / 'b.jpg'), NOISE[:40])
    (root / 'bad.jpg').write_bytes(b'no image')
    (root / 'notes.txt').write_text('no image either', encoding='utf-8')
    writer = cv2.VideoWriter(str(root / 'v.mp4'), cv2.VideoWriter.fourcc(*'mp4v'), 5, (64, 48))
    for shift in range(3):
        writer.write(np.roll(NOISE, shift, 1))
    writer.release()
    return root


def test_detections(detecting: Predictor, folder: Path) -> None:
    out = folder / 'out'
    for _ in range(2):  # the second time, results lie in the folder that is read
        (skipped,) = infer(detecting, [folder], out, score_thr=0.0, batch_size=2)
        assert 'bad.jpg' in skipped
    truth = COCO(out / 'images.json')
    assert [image['file_name'] for image in truth.imgs.values()] == [
        *('a.png', 'deep/b.jpg', 'v/000000', 'v/000001', 'v/000002')
    ]
    assert truth.imgs[5]['frame_id'] == 2 and truth.imgs[5]['video'] == 'v.mp4'
    assert [c['name'] for c in truth.cats.values()] == list(CLASSES)
    found = truth.loadRes(str(out / 'predictions.json'))
    assert len(found.anns) == 25 and set(truth.imgs) == {a['image_id'] for a in found.anns.values()}
    x1, y1, x2, y2 = detecting(NOISE).pred_instances.bboxes[0].tolist()
    first = json.loads((out / 'predictions.json').read_text(encoding='utf-8'))[0]
    assert first['bbox'] == pytest.approx([x1, y1, x2 - x1, y2 - y1], abs=1e-2)
    for name in ('a.png', 'deep/b.jpg'):
        drawn, original = (cv2.imread(str(f / name)) for f in (out / 'pictures', folder))
        assert drawn.shape == original.shape and (drawn != original).any()
    video = cv2.VideoCapture(str(out / 'pictures' / 'v.mp4'))
    assert [video.read()[0] for _ in range(4)] == [True, True, True, False]
    assert not list(out.rglob('.part-*'))


def test_numbers_explain_an_empty_drawing(
    detecting: Predictor, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records: list[Any] = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'callHandlers', records.append)
    infer(detecting, [folder / 'a.png', folder / 'deep'], tmp_path / 'out', score_thr=1)
    assert records[-1].getMessage() == '2 images, 10 detections, 0 above 1.00'


def test_label_maps(
    segmenting: Predictor, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records: list[Any] = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'callHandlers', records.append)
    infer(segmenting, [folder / 'a.png', folder / 'v.mp4'], tmp_path / 'out')
    assert records[-1].getMessage() == '1 image, 3 frames'
    written = cv2.imread(str(tmp_path / 'out/labels/a.png'), cv2.IMREAD_UNCHANGED)
    assert (written == segmenting(NOISE).pred_sem_seg.data[0].numpy()).all()
    assert len(list((tmp_path / 'out/labels/v').glob('*.png'))) == 3
    content = json.loads((tmp_path / 'out/images.json').read_text(encoding='utf-8'))
    assert [c['id'] for c in content['categories']] == [0, 1, 2]


def test_the_tool(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = saved(detector(), tmp_path / 'x.pth')
    detector().dump(tmp_path / 'config.py')
    (folder / 'film.mp4').write_bytes(b'no video')
    out = tmp_path / 'out'
    words = [tmp_path / 'config.py', checkpoint, '--out', out, '--device', 'cpu', '--score-thr', 0]
    assert call('infer', *words[:2], folder, *words[2:]) == 2
    shown = capsys.readouterr().err
    assert f'error: 2 files skipped; what was predicted is in {out}' in shown
    assert '%' not in shown and '━' not in shown, 'no bar outside of a terminal'
    assert call('infer', *words[:2], folder / 'a.png', *words[2:]) == 0
    assert len(json.loads((out / 'images.json').read_text(encoding='utf-8'))['images']) == 1
