"""Evaluates what was gathered, and writes it for the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from panopticapi.evaluation import PQStat

from effnet_dense.report import detection, segmentation
from effnet_dense.report.files import save_arrays, save_json
from effnet_dense.report.ranking import best_and_worst
from effnet_dense.report.records import (
    DetectionRecord,
    PanopticRecord,
    Record,
    SegmentationRecord,
)


def save_meta(data: Path, **values: Any) -> None:
    """Write what is known of the run; its file is what makes a folder a report."""
    save_json(data / 'run.json', values)


def save_record(data: Path, record: Record, score_thr: float) -> None:
    """Write one record's evaluation; nothing of one that saw nothing."""
    if not record.gathered:
        return
    if isinstance(record, DetectionRecord):
        _save_detections(data, record, score_thr)
    elif isinstance(record, SegmentationRecord):
        _save_segments(data, record.gathered)
    elif isinstance(record, PanopticRecord):
        _save_panoptic(data, record)


def _save_detections(data: Path, record: DetectionRecord, score_thr: float) -> None:
    metric: Any = record.source
    results = record.gathered
    masks = 'segm' in metric.metrics and all(each['masks'] is not None for each in results)
    found = detection.evaluate(results, metric._coco_api, metric.cat_ids, score_thr, masks)
    save_arrays(data / 'detections.npz', found)
    if masks:
        shown = np.concatenate(best_and_worst(found.scores)).tolist()
        chosen = {index: _masks(results[index], metric) for index in shown}
        save_json(data / 'masks.json', chosen)


def _masks(result: dict[str, Any], metric: Any) -> dict[str, list[Any]]:
    """The masks of an image's objects and detections, in the order of the arrays' rows."""
    api = metric._coco_api
    objects = [
        api.annToRLE(each)
        for each in api.imgToAnns[result['img_id']]
        if each['category_id'] in metric.cat_ids
    ]
    return dict(truth=_plain(objects), found=_plain(result['masks']))


def _plain(masks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run lengths as text."""
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
    folder.mkdir()
    for index in np.concatenate(best_and_worst(found.scores)):
        for kind in ('truth', 'found'):
            (folder / f'{index}_{kind}.png').write_bytes(results[index][kind])


def _save_panoptic(data: Path, record: PanopticRecord) -> None:
    metric: Any = record.source
    total = PQStat()
    for each in record.gathered:
        total += each
    _, classes = total.pq_average(metric.categories, isthing=None)
    rows = [
        dict(name=metric.categories[key]['name'], **{k: float(v) for k, v in values.items()})
        for key, values in classes.items()
    ]
    save_json(data / 'panoptic.json', rows)
