"""Compute panoptic quality in threads, without changing the predictions."""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from mmdet.evaluation import CocoPanopticMetric as MMDetCocoPanopticMetric

from effnet_dense.registry import METRICS

PENDING = 4
"""Images that wait for each thread; more would fill the memory with label maps."""


@METRICS.register_module()
class CocoPanopticMetric(MMDetCocoPanopticMetric):
    """mmdet's metric, computed in threads while the network runs, on copies of the predicted maps.

    mmdet's own compares an image with its ground truth before the network gets the next one. It
    also writes COCO's id of "no segment", 0, into predicted maps on the CPU. In mmdet's numbering
    0 is a person: images drawn afterwards would show one.

    Args:
        workers: Threads that compare images; by default as many as there are cores, at most 8.
            With `outfile_prefix`, which writes files instead, there are none.
        kwargs: See mmdet's.

    Raises:
        ValueError: `workers` is no integer of at least 1.
    """

    def __init__(self, *args: Any, workers: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if workers is not None and (type(workers) is not int or workers < 1):
            raise ValueError(f'workers must be an integer of at least 1, got {workers!r}')
        self.workers = workers or min(8, os.cpu_count() or 1)
        self._threads: ThreadPoolExecutor | None = None

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Count the matches of samples with `pred_panoptic_seg`, a map `sem_seg` (1, H, W)."""
        samples = [_with_copied_map(sample) for sample in data_samples]
        if self.tmp_dir is None:
            super().process(data_batch, samples)
            return
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self.workers, 'panoptic quality')
        for sample in samples:
            self.results.append(self._threads.submit(self._compare, sample))
            if len(self.results) > PENDING * self.workers:
                self.results[-PENDING * self.workers].result()

    def evaluate(self, size: int) -> dict[str, float]:
        """Wait for the threads, and compute PQ, SQ and RQ of all, of things and of stuff.

        Args:
            size: Number of images; what distributed sampling has added is left out.
        """
        try:
            self.results: list[Any] = finished(self.results)
        finally:
            if self._threads is not None:
                self._threads.shutdown(cancel_futures=True)
                self._threads = None
        return super().evaluate(size)

    def _compare(self, sample: dict[str, Any]) -> Any:
        """Return an image's matches, by a metric of its own: two may have the same file name."""
        metric = copy.copy(self)
        metric.tmp_dir = tempfile.TemporaryDirectory(prefix='panoptic_')
        metric.seg_out_dir, metric.results = metric.tmp_dir.name, []
        metric._compute_batch_pq_stats([sample])
        return metric.results[0]


def finished(results: Sequence[Any]) -> list[Any]:
    """Return a metric's results; wait for those that threads still compute."""
    return [each.result() if isinstance(each, Future) else each for each in results]


def _with_copied_map(sample: dict[str, Any]) -> dict[str, Any]:
    found = sample['pred_panoptic_seg']
    return {**sample, 'pred_panoptic_seg': {**found, 'sem_seg': found['sem_seg'].clone()}}
