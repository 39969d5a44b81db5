"""Compare detections with ground truth: matches, scores of images, precision of classes.

Shapes: M images, N detections, G objects of the ground truth, K classes, T = 10 IoU thresholds
0.50, 0.55 … 0.95. Boxes are x1, y1, x2, y2 in the original image's pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from effnet_dense.report.matching import confusion, image_scores, matches

MAX_DETECTIONS = 100


@dataclass
class Detections:
    """Results of one evaluation."""

    paths: NDArray[np.str_]  # (M,)
    scores: NDArray[np.float64]  # (M,), see `image_scores`; NaN without objects and detections
    counts: NDArray[np.int64]  # (M, 3): right, wrong, missed at IoU 0.5
    truth_image: NDArray[np.int64]  # (G,)
    truth_label: NDArray[np.int64]  # (G,)
    truth_box: NDArray[np.float64]  # (G, 4)
    truth_crowd: NDArray[np.bool_]  # (G,)
    truth_found: NDArray[np.bool_]  # (G,), at IoU 0.5 by a detection at or above the threshold
    found_image: NDArray[np.int64]  # (N,)
    found_label: NDArray[np.int64]  # (N,)
    found_box: NDArray[np.float64]  # (N, 4)
    found_score: NDArray[np.float64]  # (N,)
    found_right: NDArray[np.int64]  # (N,), at IoU 0.5: 1 right, 0 wrong, −1 not counted
    confusion: NDArray[np.int64]  # (K + 1, K + 1), truth by prediction; the last is background
    precision: NDArray[np.float64]  # (T, 101, K) at recall 0, 0.01 … 1; −1 without ground truth
    recall: NDArray[np.float64]  # (T, K), the largest one; −1 without ground truth
    mask_precision: NDArray[np.float64]  # as above, of masks; (0, 0, 0) without any
    mask_recall: NDArray[np.float64]


def evaluate(
    results: Sequence[dict[str, Any]],
    truth: COCO,
    cat_ids: Sequence[int],
    score_thr: float,
    masks: bool = False,
) -> Detections:
    """Evaluate the results of a `DetectionCollector` with pycocotools.

    Args:
        results: One dictionary per image.
        truth: The ground truth.
        cat_ids: K category ids in the order of the labels.
        score_thr: Detections of a lower score are left out of counts and confusions.
        masks: Also evaluate masks.
    """
    ids = [result['img_id'] for result in results]
    boxes = _coco_eval(results, truth, cat_ids, ids, 'bbox')
    found = _found(results)
    objects = _objects(truth, cat_ids, ids)
    hits = matches(boxes.evalImgs, objects.pop('truth_id'), found['found_score'], score_thr)
    scores, counts = image_scores(
        hits, found['found_image'], objects['truth_image'][~objects['truth_crowd']], len(ids)
    )
    precision, recall = _by_label(boxes, cat_ids)
    mask_precision, mask_recall = np.zeros((0, 0, 0)), np.zeros((0, 0))
    if masks:
        segms = _coco_eval(results, truth, cat_ids, ids, 'segm')
        mask_precision, mask_recall = _by_label(segms, cat_ids)
    return Detections(
        paths=np.array([result['path'] for result in results], dtype=np.str_),
        scores=scores,
        counts=counts,
        **objects,
        truth_found=hits.truth_found,
        **found,
        found_right=np.where(hits.ignored[0], -1, hits.right[0].astype(np.int64)),
        confusion=confusion(objects, found, len(cat_ids), score_thr),
        precision=precision,
        recall=recall,
        mask_precision=mask_precision,
        mask_recall=mask_recall,
    )


def average(values: NDArray[np.float64]) -> float:
    """Return the mean of values other than −1 (pycocotools' "no ground truth"); NaN without any."""
    known = values[values > -1]
    return float(known.mean()) if known.size else float('nan')


def _coco_eval(
    results: Sequence[dict[str, Any]],
    truth: COCO,
    cat_ids: Sequence[int],
    image_ids: Sequence[int],
    kind: str,
) -> COCOeval:
    """Run pycocotools' evaluation on objects of all sizes together.

    Evaluating small, medium and large objects separately would take three quarters of the time,
    and CocoMetric reports them.
    """
    found = COCO()
    found.dataset = dict(
        images=truth.dataset['images'],
        categories=truth.dataset['categories'],
        annotations=_annotations(results, cat_ids, kind),
    )
    with redirect_stdout(StringIO()):
        found.createIndex()
        evaluation = COCOeval(truth, found, kind)
        params = evaluation.params
        params.imgIds, params.catIds = list(image_ids), list(cat_ids)
        params.areaRng, params.areaRngLbl = params.areaRng[:1], params.areaRngLbl[:1]
        params.maxDets = [MAX_DETECTIONS]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def _by_label(
    evaluation: COCOeval, cat_ids: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return precision and recall in the order of the labels: pycocotools sorts category ids."""
    places = np.searchsorted(np.sort(cat_ids), cat_ids)
    found = evaluation.eval
    return found['precision'][:, :, places, 0, -1], found['recall'][:, places, 0, -1]


def _annotations(
    results: Sequence[dict[str, Any]], cat_ids: Sequence[int], kind: str
) -> list[dict[str, Any]]:
    """Convert detections to COCO's format; ids count from 1."""
    annotations: list[dict[str, Any]] = []
    for result in results:
        x1, y1, x2, y2 = result['boxes'].astype(np.float64).T
        boxes = np.stack([x1, y1, x2 - x1, y2 - y1], 1).tolist()
        areas = ((x2 - x1) * (y2 - y1)).tolist()
        scores = result['scores']
        if kind == 'segm':
            scores, areas = result['mask_scores'], coco_mask.area(result['masks']).tolist()
        for index, label in enumerate(result['labels']):
            annotation = dict(
                id=len(annotations) + 1,
                image_id=result['img_id'],
                category_id=cat_ids[label],
                bbox=boxes[index],
                area=areas[index],
                score=float(scores[index]),
                iscrowd=0,
            )
            if kind == 'segm':
                annotation['segmentation'] = result['masks'][index]
            annotations.append(annotation)
    return annotations


def _found(results: Sequence[dict[str, Any]]) -> dict[str, NDArray[Any]]:
    """Concatenate the detections, in the order of `_annotations`."""
    lengths = [len(result['scores']) for result in results]
    return dict(
        found_image=np.repeat(np.arange(len(results)), lengths),
        found_label=np.concatenate([result['labels'] for result in results]).astype(np.int64),
        found_box=np.concatenate([result['boxes'] for result in results]).astype(np.float64),
        found_score=np.concatenate([result['scores'] for result in results]).astype(np.float64),
    )


def _objects(
    truth: COCO, cat_ids: Sequence[int], image_ids: Sequence[int]
) -> dict[str, NDArray[Any]]:
    """Concatenate the ground truth of the images, in their order."""
    label_of = {cat_id: label for label, cat_id in enumerate(cat_ids)}
    rows = [
        (index, label_of[each['category_id']], each['bbox'], each.get('iscrowd', 0), each['id'])
        for index, image_id in enumerate(image_ids)
        for each in truth.imgToAnns[image_id]
        if each['category_id'] in label_of
    ]
    images, labels, boxes, crowds, ids = zip(*rows, strict=True) if rows else ((),) * 5
    corners = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    return dict(
        truth_image=np.array(images, dtype=np.int64),
        truth_label=np.array(labels, dtype=np.int64),
        truth_box=corners,
        truth_crowd=np.array(crowds, dtype=bool),
        truth_id=np.array(ids, dtype=np.int64),
    )
