"""OpenMMLab's inference functions, SAHI and supervision predict as `Predictor` does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

import effnet_dense
from effnet_dense.engine.config import find_config
from tests.helpers.forked import finish_forked
from tests.helpers.tool import finish
from tests.helpers.trained import Run

Trained = Callable[[str], Run]

START = """
import sys
import effnet_dense
config, checkpoint, out, *images = sys.argv[1:]
import cv2, torch
"""
END = """
samples = [s.cpu() for s in samples]
boxes = [s.pred_instances for s in samples if 'pred_instances' in s]
found = dict(
    fields=[{name: torch.as_tensor(b[name]) for name in b.keys()} for b in boxes],
    maps=[s.pred_sem_seg.data for s in samples if 'pred_sem_seg' in s],
    classes=list(meta['classes']),
)
torch.save(found, out)
"""
DET_INFERENCER = """
from mmdet.apis import DetInferencer
inferencer = DetInferencer(config, checkpoint, device='cpu', show_progress=False)
given = [*images, *map(cv2.imread, images)]
samples = inferencer(given, batch_size=2, return_datasamples=True)['predictions']
meta = inferencer.model.dataset_meta
"""
FROM_CHECKPOINT = DET_INFERENCER.replace('DetInferencer(config,', 'DetInferencer(None,')
DETECTOR = """
from mmdet.apis import inference_detector, init_detector
model = init_detector(config, checkpoint, device='cpu')
arrays = [cv2.imread(image) for image in images]
samples = [*inference_detector(model, images), *inference_detector(model, arrays)]
mixed = inference_detector(model, [arrays[0], images[1]])
assert [len(s.pred_instances) for s in mixed] == [len(s.pred_instances) for s in samples[:2]]
alone = inference_detector(model, images[0])
assert alone.pred_instances.scores.tolist() == samples[0].pred_instances.scores.tolist()
meta = model.dataset_meta
"""
SEG_INFERENCER = """
from mmseg.apis import MMSegInferencer
inferencer = MMSegInferencer(config, checkpoint, device='cpu')
given = [*images, *map(cv2.imread, images)]
samples = inferencer(given, batch_size=2, return_datasamples=True)
meta = inferencer.model.dataset_meta
"""
SEGMENTOR = """
from mmseg.apis import inference_model, init_model
model = init_model(config, checkpoint, device='cpu')
arrays = [cv2.imread(image) for image in images]
samples = [*inference_model(model, images), *inference_model(model, arrays)]
assert (inference_model(model, arrays[0]).pred_sem_seg.data == samples[0].pred_sem_seg.data).all()
assert (inference_model(model, images[1]).pred_sem_seg.data == samples[1].pred_sem_seg.data).all()
meta = model.dataset_meta
"""
CALLS = [
    ('detector', DET_INFERENCER),
    ('detector', FROM_CHECKPOINT),
    ('detector', DETECTOR),
    ('mask_rcnn', DET_INFERENCER),
    ('mask_rcnn', DETECTOR),
    ('segmentor', SEG_INFERENCER),
    ('segmentor', SEGMENTOR),
]
NAMES = ['DetInferencer', 'weights alone', 'init_detector', 'masks', 'init_detector, masks']
NAMES += ['MMSegInferencer', 'init_model']
FAST = ('init_detector', 'init_model')


def run(code: str, config: Path, run: Run, folder: Path) -> Any:
    """Run code in a process of its own; return what it found."""
    words = [config, run.checkpoint, folder / 'found.pth', *run.images]
    finish_forked(folder / 'log.txt', '-c', START + code + END, *words, folder=folder)
    return torch.load(folder / 'found.pth')


def check(found: Any, run: Run) -> None:
    """Compare with the predictions on the images as files, then as arrays."""
    predictor = effnet_dense.Predictor(run.config, run.checkpoint, device='cpu')
    expected = [predictor(image) for image in map(str, run.images)] * 2
    assert tuple(found['classes']) == predictor.dataset_meta['classes']
    if 'pred_sem_seg' in expected[0]:
        maps = [sample.pred_sem_seg.data for sample in expected]
        assert all(torch.equal(a, b) for a, b in zip(found['maps'], maps, strict=True))
        return
    for fields, sample in zip(found['fields'], expected, strict=True):
        wanted = sample.pred_instances
        assert len(wanted) == 5 and set(fields) == set(wanted.keys())
        for name, values in fields.items():
            # Batches of mmdet's have other sums than single images.
            torch.testing.assert_close(values, wanted[name], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ('kind', 'code'),
    [
        pytest.param(*call, id=name, marks=() if name in FAST else pytest.mark.slow)
        for call, name in zip(CALLS, NAMES, strict=True)
    ],
)
def test_predicts_as_predictor(kind: str, code: str, trained: Trained, tmp_path: Path) -> None:
    done = trained(kind)
    check(run(code, done.config, done, tmp_path), done)


@pytest.mark.slow
def test_in_a_new_process(trained: Trained, tmp_path: Path) -> None:
    """One for mmdet's function and mmseg's, as a user runs Python."""
    codes = {'detector': DETECTOR, 'segmentor': SEG_INFERENCER}
    given = []
    for kind, code in codes.items():
        done = trained(kind)
        words = [done.config, done.checkpoint, tmp_path / f'{kind}.pth', *done.images]
        given.append((START + code + END, ['-c', *map(str, words)]))
    whole = f'import sys\nfor code, sys.argv in {given!r}:\n    exec(code, {{}})\n'
    finish(tmp_path / 'log.txt', sys.executable, '-c', whole)
    for kind in codes:
        check(torch.load(tmp_path / f'{kind}.pth'), trained(kind))


@pytest.mark.slow
@pytest.mark.parametrize(
    ('kind', 'code'),
    [('detector', DETECTOR), ('mask_rcnn', DET_INFERENCER), ('segmentor', SEGMENTOR)],
    ids=['init_detector', 'DetInferencer', 'init_model'],
)
def test_a_config_of_other_classes(kind: str, code: str, trained: Trained, tmp_path: Path) -> None:
    """The shipped config, whose heads are for 80 or 11 classes, with the run's other settings."""
    done = trained(kind)
    config = tmp_path / 'other.py'
    lines = [f"_base_ = ['{find_config(done.shipped)}']", 'settings = ' + repr(done.settings)]
    config.write_text('\n'.join(lines), encoding='utf-8')
    merged = f'from mmengine.config import Config\nconfig = Config.fromfile(config)\n{MERGE}'
    check(run(merged + code, config, done, tmp_path), done)


MERGE = 'config.merge_from_dict(dict(config.settings))\n'


def write_large(path: Path) -> Path:
    """Write an image of 96 × 160 pixels: squares on noise."""
    image = np.random.default_rng(1).integers(0, 60, (96, 160, 3), dtype=np.uint8)
    image[10:40, 20:50] = image[50:90, 100:140] = 255
    cv2.imwrite(str(path), image)
    return path


SAHI = """
import sys
import effnet_dense
config, checkpoint, out, image = sys.argv[1:]
import torch
from sahi import AutoDetectionModel
from sahi.predict import get_prediction, get_sliced_prediction
model = AutoDetectionModel.from_pretrained(
    model_type='mmdet', model_path=checkpoint, config_path=config, device='cpu',
    confidence_threshold=0.0, image_size=64)
whole = get_prediction(image, model).object_prediction_list
sliced = get_sliced_prediction(
    image, model, slice_height=64, slice_width=64, verbose=0).object_prediction_list
torch.save(dict(
    whole=[(p.bbox.to_xyxy(), p.score.value, p.category.name) for p in whole],
    sliced=len(sliced), names={p.category.name for p in sliced}), out)
"""


@pytest.mark.slow
@pytest.mark.skipif(find_spec('sahi') is None, reason='needs sahi')
@pytest.mark.parametrize('kind', ['detector', 'mask_rcnn'])
def test_sahi(kind: str, trained: Trained, tmp_path: Path) -> None:
    done, image = trained(kind), write_large(tmp_path / 'large.png')
    words = [done.config, done.checkpoint, tmp_path / 'found.pth', image]
    finish_forked(tmp_path / 'log.txt', '-c', SAHI, *words, folder=tmp_path)
    found = torch.load(tmp_path / 'found.pth')
    assert found['sliced'] and found['names'] <= {'square', 'bar'}
    expected = effnet_dense.Predictor(done.config, done.checkpoint, device='cpu')(image)
    scores = expected.pred_instances.scores.tolist()
    np.testing.assert_allclose([score for _, score, _ in found['whole']], scores, atol=1e-4)


SUPERVISION = """
import effnet_dense, sys
config, checkpoint, out, image = sys.argv[1:]
import torch
from mmdet.apis import inference_detector, init_detector
from supervision import Detections
model = init_detector(config, checkpoint, device='cpu')
found = Detections.from_mmdetection(inference_detector(model, image))
mask = None if found.mask is None else torch.from_numpy(found.mask)
torch.save((torch.from_numpy(found.xyxy), torch.from_numpy(found.class_id), mask), out)
"""


@pytest.mark.slow
@pytest.mark.skipif(find_spec('supervision') is None, reason='needs supervision')
@pytest.mark.parametrize('kind', ['detector', 'mask_rcnn'])
def test_supervision(kind: str, trained: Trained, tmp_path: Path) -> None:
    done = trained(kind)
    words = [done.config, done.checkpoint, tmp_path / 'found.pth', done.images[0]]
    finish_forked(tmp_path / 'log.txt', '-c', SUPERVISION, *words, folder=tmp_path)
    boxes, labels, masks = torch.load(tmp_path / 'found.pth')
    predictor = effnet_dense.Predictor(done.config, done.checkpoint, device='cpu')
    expected = predictor(str(done.images[0])).to_supervision()
    np.testing.assert_allclose(boxes, expected.xyxy, atol=1e-3)
    assert labels.tolist() == expected.class_id.tolist()
    assert (masks is None) == (expected.mask is None)
    assert masks is None or np.array_equal(masks, expected.mask)
