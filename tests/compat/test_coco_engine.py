"""CocoMetric's figures by faster-coco-eval are pycocotools'."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import mmdet.evaluation.metrics.coco_metric as module
import numpy as np
import pytest
from mmdet.evaluation import CocoMetric
from pycocotools import mask as coco_mask
from pycocotools.cocoeval import COCOeval

from benchmarks.coco_engine import random_set

faster_coco_eval = pytest.importorskip(
    'faster_coco_eval', reason='the extra fast-eval is not installed'
)
CLASSES = 6


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """Return annotations with crowds, and results with masks; one image has no detections."""
    dataset, results = random_set(images=30, classes=CLASSES, detections=25)
    for annotation in dataset['annotations']:
        x, y, width, height = annotation['bbox']
        corners = [[x, y, x + width, y, x + width, y + height]]
        masks = coco_mask.frPyObjects(corners, 640, 640)
        counts = dict(size=[640, 640], counts=masks[0]['counts'].decode())
        annotation['segmentation'] = counts if annotation['iscrowd'] else corners
    for _, found in results:
        found['masks'] = [
            coco_mask.frPyObjects([[x1, y1, x2, y1, x2, y2]], 640, 640)[0]
            for x1, y1, x2, y2 in found['bboxes']
        ]
    results[3][1].update(
        bboxes=np.zeros((0, 4)), scores=np.zeros(0), labels=np.zeros(0, np.int64), masks=[]
    )
    path = tmp_path_factory.mktemp('coco') / 'annotations.json'
    path.write_text(json.dumps(dataset), encoding='utf-8')
    return path, results


def figures(data: tuple[Path, list[Any]], **arguments: Any) -> dict[str, float]:
    metric = CocoMetric(ann_file=str(data[0]), **arguments)
    metric.dataset_meta = dict(classes=[f'class {n}' for n in range(CLASSES)])
    return dict(metric.compute_metrics(data[1]))


@pytest.mark.parametrize(
    'arguments',
    [
        dict(metric=['bbox', 'segm'], classwise=True),
        dict(metric='proposal', proposal_nums=(1, 5, 20)),
        dict(
            metric='bbox', iou_thrs=np.array([0.3, 0.5]), metric_items=['mAP', 'mAP_50', 'AR@1000']
        ),
    ],
    ids=lambda arguments: str(arguments['metric']),
)
def test_figures_are_equal(
    data: tuple[Path, list[Any]], arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []
    engine = faster_coco_eval.COCOeval_faster
    monkeypatch.setattr(
        faster_coco_eval, 'COCOeval_faster', lambda *a, **b: used.append(a) or engine(*a, **b)
    )
    fast = figures(data, **arguments)
    assert len(used) == len(np.atleast_1d(arguments['metric']))
    monkeypatch.setattr(module, 'COCOeval', COCOeval)
    np.testing.assert_equal(fast, figures(data, **arguments))
    assert len(used) == len(np.atleast_1d(arguments['metric']))
    assert any(0 < value < 1 for value in fast.values())


def test_without_it_pycocotools_computes(
    data: tuple[Path, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = figures(data)
    monkeypatch.setitem(sys.modules, 'faster_coco_eval', None)
    assert isinstance(module.COCOeval(None, None, 'bbox'), COCOeval)
    assert figures(data) == fast


def test_the_table_of_averages_is_printed(
    data: tuple[Path, list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    """`engine.quiet` sends it to the log file."""
    figures(data)
    assert 'Average Precision  (AP) @[ IoU=0.50:0.95' in capsys.readouterr().out
