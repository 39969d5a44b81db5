"""Metrics that checkpoints, schedules and hooks follow, against those of the validation."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmdet.evaluation import CocoMetric
from mmengine.evaluator import BaseMetric, DumpResults, Evaluator
from mmengine.hooks import EarlyStoppingHook
from mmengine.optim.scheduler import ReduceOnPlateauLR
from mmseg.evaluation import IoUMetric

from effnet_dense.engine.checks.monitored import check_metrics, check_monitored, unvalidated
from effnet_dense.engine.hooks.checkpoint import CheckpointHook


class Own(BaseMetric):
    """A metric whose results nobody knows."""

    def process(self, data_batch: Any, data_samples: Any) -> None: ...

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        return {}


class Renaming(Evaluator):
    """May give results other names."""


KNOWN = {'mIoU', 'mAcc', 'aAcc', 'coco/bbox_mAP'}


def plateau(monitor: str) -> ReduceOnPlateauLR:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    return ReduceOnPlateauLR(optimizer, monitor=monitor, rule='greater')


def test_names_of_an_evaluator() -> None:
    dump = DumpResults('x.pkl')
    assert check_metrics('val_evaluator', Evaluator([IoUMetric(), dump])) == {
        'mIoU',
        'mAcc',
        'aAcc',
    }
    assert check_metrics('val_evaluator', Evaluator([IoUMetric(), Own()])) is None
    assert check_metrics('val_evaluator', Renaming([IoUMetric()])) is None


def test_arguments_that_are_read_after_the_evaluation() -> None:
    with pytest.raises(ValueError, match=r'^test_evaluator: CocoMetric\.metric_items .* mAP_50'):
        check_metrics('test_evaluator', Evaluator(CocoMetric(metric_items=['AP'])))
    twice = Evaluator([IoUMetric(), IoUMetric(iou_metrics=['mDice'])])
    with pytest.raises(ValueError, match=r'computes aAcc, mAcc, as another metric does'):
        check_metrics('val_evaluator', twice)
    check_metrics('val_evaluator', Evaluator([IoUMetric(), IoUMetric(prefix='b')]))


@pytest.mark.parametrize(
    ('hooks', 'schedulers'),
    [
        ([CheckpointHook()], []),
        ([CheckpointHook(save_best='auto')], []),
        ([CheckpointHook(save_best=['mIoU', 'coco/bbox_mAP'], rule='greater')], []),
        ([CheckpointHook(save_best='val_loss')], []),
        ([EarlyStoppingHook('mIoU')], [plateau('coco/bbox_mAP')]),
    ],
)
def test_results_that_there_are(hooks: list[Any], schedulers: list[Any]) -> None:
    check_monitored(KNOWN, hooks, schedulers)


@pytest.mark.parametrize(
    ('hook', 'scheduler', 'words'),
    [
        (CheckpointHook(save_best='mIou'), None, r"save_best='mIou': .*; did you mean mIoU\?"),
        (
            CheckpointHook(save_best=['mIoU', 'segm_mAP'], rule='greater'),
            None,
            r"save_best='segm_mAP': val_evaluator computes aAcc, coco/bbox_mAP, mAcc, mIoU",
        ),
        (EarlyStoppingHook('coco/bbox_AP', rule='greater'), None, r"EarlyStoppingHook\.monitor='"),
        (None, plateau('acc'), r"ReduceOnPlateauLR\.monitor='acc'"),
    ],
)
def test_results_that_there_are_not(hook: Any, scheduler: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_monitored(KNOWN, filter(None, [hook]), filter(None, [scheduler]))


def test_nothing_is_computed() -> None:
    with pytest.raises(ValueError, match='val_evaluator computes nothing'):
        check_monitored(set(), [CheckpointHook(save_best='auto')])
    (line,) = unvalidated([CheckpointHook(save_best='mIoU'), CheckpointHook()])
    assert "save_best='mIoU' changes nothing: the training has no validation" in line


def test_a_validation_that_finds_nothing_does_not_end_the_run() -> None:
    """Then CocoMetric returns no results."""
    lines: list[str] = []
    runner: Any = SimpleNamespace(logger=SimpleNamespace(warning=lines.append))
    hook = CheckpointHook(save_best='coco/bbox_mAP')
    hook._save_best_checkpoint(runner, {'coco_panoptic/PQ': 1.0})
    assert 'computed no coco/bbox_mAP: no best checkpoint' in lines[0]
