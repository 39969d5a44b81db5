"""A folder of predictions, and what pycocotools makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmdet.datasets import CocoDataset
from panopticapi.utils import rgb2id
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from effnet_dense.inference import Predictor, infer
from effnet_dense.inference.categories import default_ids, ids_from
from effnet_dense.inference.coco_results import detections, segments
from effnet_dense.inference.inputs import find_inputs
from effnet_dense.inference.json_list import JsonList
from effnet_dense.inference.results import Results
from effnet_dense.utils.atomic import partial_path
from tests.helpers.tiny_models import CLASSES, detector, saved
from tests.helpers.tool import call

NOISE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


class Fields(SimpleNamespace):
    """As much of a data sample as is asked for."""

    def __contains__(self, name: str) -> bool:
        return hasattr(self, name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images, one of them in a folder, a damaged one, and a video of three frames."""
    root = tmp_path / 'in'
    (root / 'deep').mkdir(parents=True)
    cv2.imwrite(str(root / 'a.png'), NOISE)
    cv2.imwrite(str(root / 'deep' / 'b.jpg'), NOISE[:40])
    (root / 'bad.jpg').write_bytes(b'no picture')
    (root / 'notes.txt').write_text('no picture either')
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
    first = json.loads((out / 'predictions.json').read_text())[0]
    assert first['bbox'] == pytest.approx([x1, y1, x2 - x1, y2 - y1], abs=1e-2)
    for name in ('a.png', 'deep/b.jpg'):
        drawn, original = (cv2.imread(str(f / name)) for f in (out / 'pictures', folder))
        assert drawn.shape == original.shape and (drawn != original).any()
    video = cv2.VideoCapture(str(out / 'pictures' / 'v.mp4'))
    assert [video.read()[0] for _ in range(4)] == [True, True, True, False]
    assert not list(out.rglob('.part-*'))


def test_label_maps(segmenting: Predictor, folder: Path, tmp_path: Path) -> None:
    infer(segmenting, [folder / 'a.png', folder / 'v.mp4'], tmp_path / 'out')
    written = cv2.imread(str(tmp_path / 'out/labels/a.png'), cv2.IMREAD_UNCHANGED)
    assert (written == segmenting(NOISE).pred_sem_seg.data[0].numpy()).all()
    assert len(list((tmp_path / 'out/labels/v').iterdir())) == 3
    content = json.loads((tmp_path / 'out/images.json').read_text())
    assert [c['id'] for c in content['categories']] == [0, 1, 2]


def test_panoptic(tmp_path: Path) -> None:
    """Two things of the first class, stuff of the third, and a void column."""
    panoptic = np.full((4, 6), 2)
    panoptic[:2, :2], panoptic[2:, :2], panoptic[:, 5] = 1000, 2000, 3
    sample = Fields(pred_panoptic_seg=Fields(sem_seg=torch.tensor(panoptic)[None]))
    results = Results(tmp_path, CLASSES, default_ids(CLASSES), things=2)
    results.add('x.jpg', (4, 6), sample)
    results.close()
    content = json.loads((tmp_path / 'panoptic.json').read_text())
    (entry,) = content['annotations']
    fields = ('category_id', 'area', 'bbox', 'isthing')
    assert [tuple(s[field] for field in fields) for s in entry['segments_info']] == [
        (3, 12, [2, 0, 3, 4], 0),
        (1, 4, [0, 0, 2, 2], 1),
        (1, 4, [0, 2, 2, 2], 1),
    ]
    ids = rgb2id(cv2.imread(str(tmp_path / 'panoptic' / entry['file_name']))[..., ::-1])
    assert ids.tolist() == [[2, 2, 1, 1, 1, 0]] * 2 + [[3, 3, 1, 1, 1, 0]] * 2
    assert [c['isthing'] for c in content['categories']] == [1, 1, 0]
    assert segments(panoptic, (1, 2, 3), 2)[0].dtype == np.int32


def test_masks_are_run_lengths() -> None:
    mask = torch.zeros(1, 4, 5, dtype=torch.bool)
    mask[0, 1:3, 2:4] = True

    boxes = torch.tensor([[2.0, 1.0, 4.0, 3.0]])
    scores, labels = torch.tensor([0.5]), torch.tensor([1])
    given = Fields(bboxes=boxes, scores=scores, labels=labels, masks=mask)
    (entry,) = detections(given, 7, (10, 20))
    assert (entry['image_id'], entry['category_id'], entry['score']) == (7, 20, 0.5)
    assert entry['bbox'] == [2, 1, 2, 2]
    again = json.loads(json.dumps(entry))['segmentation']
    assert (coco_mask.decode(again) == mask[0].numpy()).all()


def test_ids_of_coco_and_of_a_file(tiny_data: Path) -> None:
    names = CocoDataset.METAINFO['classes']
    assert default_ids(names).categories[-1] == 90 and default_ids(names).categories[11] == 13
    assert default_ids(('a', 'b')).categories == (1, 2)
    ids = ids_from(tiny_data / 'annotations' / 'val.json', ('bar', 'square'))
    assert ids.categories == (2, 1) and ids.images == {'0.png': 1, '1.png': 2}
    assert ids.first_free == 3
    with pytest.raises(ValueError, match=r"val\.json has no categories \['ring'\]"):
        ids_from(tiny_data / 'annotations' / 'val.json', CLASSES)


def test_results_that_would_replace_each_other(folder: Path) -> None:
    with pytest.raises(ValueError, match=r'1 names of images occur more than once.*: a;'):
        find_inputs([folder, folder / 'a.png'], folder / 'out')
    with pytest.raises(FileNotFoundError, match='absent'):
        find_inputs([folder / 'absent'], folder / 'out')
    (folder / 'none').mkdir()
    with pytest.raises(FileNotFoundError, match='none has no images or videos'):
        find_inputs([folder / 'none'], folder / 'out')


def test_an_unfinished_list_has_another_name(tmp_path: Path) -> None:
    path = tmp_path / 'x.json'
    entries = JsonList(path)
    entries.add({'a': 1})
    entries.flush()
    assert not path.exists() and '{"a": 1}' in partial_path(path).read_text()
    entries.close()
    assert json.loads(path.read_text()) == [{'a': 1}] and not partial_path(path).exists()


def test_the_tool(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = saved(detector(), tmp_path / 'x.pth')
    detector().dump(tmp_path / 'config.py')
    (folder / 'film.mp4').write_bytes(b'no video')
    out = tmp_path / 'out'
    words = [tmp_path / 'config.py', checkpoint, '--out', out, '--device', 'cpu', '--score-thr', 0]
    assert call('infer', *words[:2], folder, *words[2:]) == 2
    shown = capsys.readouterr().err
    assert f'error: 2 files skipped, the other results are in {out}' in shown
    assert '%' not in shown and '━' not in shown, 'no bar where nobody watches'
    assert call('infer', *words[:2], folder / 'a.png', *words[2:]) == 0
    assert len(json.loads((out / 'images.json').read_text())['images']) == 1
