"""Evaluate what collectors gathered, and save it for the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from panopticapi.evaluation import PQStat

from effnet_dense.report import detection, segmentation
from effnet_dense.report.collectors import (
    Collector,
    DetectionCollector,
    PanopticCollector,
    SegmentationCollector,
)
from effnet_dense.report.ranking import best_and_worst
from effnet_dense.report.store import save_arrays, save_json
from effnet_dense.utils.outputs import write_output


def save_meta(data: Path, **values: Any) -> None:
    """Save facts about the run; a folder with this file has a report."""
    save_json(data / 'run.json', values)


def save_results(data: Path, collector: Collector, score_thr: float) -> None:
    """Evaluate and save the results of one collector, if it has any.

    Args:
        data: The folder for the page's data.
        collector: The collector, after the evaluation.
        score_thr: Detections of a lower score are left out of counts and confusions.
    """
    if not collector.gathered:
        return
    if isinstance(collector, DetectionCollector):
        _save_detections(data, collector, score_thr)
    elif isinstance(collector, SegmentationCollector):
        _save_segments(data, collector.gathered)
    elif isinstance(collector, PanopticCollector):
        _save_panoptic(data, collector)


def _save_detections(data: Path, collector: DetectionCollector, score_thr: float) -> None:
    metric: Any = collector.source
    results = collector.gathered
    masks = 'segm' in metric.metrics and all(each['masks'] is not None for each in results)
    found = detection.evaluate(results, metric._coco_api, metric.cat_ids, score_thr, masks)
    save_arrays(data / 'detections.npz', found)
    if masks:
        shown = np.concatenate(best_and_worst(found.scores)).tolist()
        chosen = {index: _masks(results[index], metric) for index in shown}
        save_json(data / 'masks.json', chosen)


def _masks(result: dict[str, Any], metric: Any) -> dict[str, list[Any]]:
    """Return the masks of an image's objects and detections, in the order of the arrays' rows."""
    api = metric._coco_api
    objects = [
        api.annToRLE(each)
        for each in api.imgToAnns[result['img_id']]
        if each['category_id'] in metric.cat_ids
    ]
    return dict(truth=_plain(objects), found=_plain(result['masks']))


def _plain(masks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Convert run lengths from bytes to text."""
    plain = []
    for mask in masks:
        counts = mask['counts']
        text = counts.decode() if isinstance(counts, bytes) else counts
        plain.append(dict(size=[int(side) for side in mask['size']], counts=text))
    return plain


def _save_segments(data: Path, results: Sequence[dict[str, Any]]) -> None:
    found = segmentation.evaluate(results)
    save_arrays(data / 'segments.npz', found)
    folder = data / 'maps'
    for index in np.concatenate(best_and_worst(found.scores)):
        for kind in ('truth', 'found'):
            write_output(folder / f'{index}_{kind}.png', results[index][kind], fsync=False)


def _save_panoptic(data: Path, collector: PanopticCollector) -> None:
    metric: Any = collector.source
    total = PQStat()
    for each in collector.gathered:
        total += each
    _, classes = total.pq_average(metric.categories, isthing=None)
    rows = [
        dict(name=metric.categories[key]['name'], **{k: float(v) for k, v in values.items()})
        for key, values in classes.items()
    ]
    save_json(data / 'panoptic.json', rows)
