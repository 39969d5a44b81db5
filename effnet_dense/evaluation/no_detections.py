"""Give a model that detects nothing the figures 0, where mmdet's CocoMetric gives none."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from mmdet.evaluation import CocoMetric
from mmengine.logging import MMLogger

from effnet_dense.evaluation.metric_names import coco_names, result_names

EMPTY = 'The testing results of the whole dataset is empty'
"""CocoMetric's error where it gives up."""


def use_zeros(evaluator: Any) -> None:
    """Make an evaluator's CocoMetrics return 0 for each result if there is no detection.

    Metrics that compute their results by themselves are left alone.

    Args:
        evaluator: Built; changed in place.
    """
    for metric in evaluator.metrics:
        own = 'compute_metrics' in vars(metric)
        if isinstance(metric, CocoMetric) and not own and result_names(metric):
            metric.compute_metrics = partial(_with_zeros, metric, metric.compute_metrics)


def _with_zeros(metric: CocoMetric, compute: Any, results: Sequence[Any]) -> dict[str, float]:
    """Compute the results; without detections, those that are missing are 0."""
    if any(len(found['bboxes']) for _, found in results):
        return dict(compute(results))
    logger = MMLogger.get_current_instance()
    with _without_error(logger):
        computed = dict(compute(results))
    logger.info('no detections: the model finds nothing on these images, all figures are 0')
    return {**dict.fromkeys(coco_names(metric), 0.0), **computed}


@contextmanager
def _without_error(logger: logging.Logger) -> Iterator[None]:
    """Leave out the error that the line about no detections replaces."""

    def keep(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(EMPTY)

    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)
