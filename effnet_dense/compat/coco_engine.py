"""mmdet's CocoMetric computes by faster-coco-eval, where it is installed, instead of pycocotools.

The figures are the same: those of the metric, which have three digits, in every digit, and the
precisions behind them up to the last bit of a double.
"""

from __future__ import annotations

import sys
from functools import partial
from types import ModuleType
from typing import Any

from effnet_dense.compat.after_import import after_import

METRIC = 'mmdet.evaluation.metrics.coco_metric'


def serve_coco_engine() -> None:
    """Change the metric's module as soon as it is imported."""
    after_import(METRIC, use_fast_engine)


def use_fast_engine(module: ModuleType) -> None:
    """Replace pycocotools' `COCOeval` in a module by `evaluation`.

    Args:
        module: mmdet's `coco_metric`.
    """
    module.COCOeval = partial(evaluation, module.COCOeval)  # type: ignore[attr-defined]


def evaluation(slow: Any, truth: Any, found: Any, kind: str) -> Any:
    """Return an evaluation of boxes or masks, not yet computed.

    Args:
        slow: pycocotools' `COCOeval`, which is taken if faster-coco-eval is not installed.
        truth: The objects, as pycocotools' `COCO`.
        found: The detections.
        kind: 'bbox' or 'segm'.
    """
    try:
        from faster_coco_eval import COCOeval_faster
    except ImportError:
        return slow(truth, found, kind)
    # `engine.quiet` replaces it where pycocotools prints.
    shown = getattr(sys.modules.get(slow.__module__), 'print', print)
    return COCOeval_faster(truth, found, kind, print_function=shown)
