"""Panoptic quality: equal to mmdet's with any number of threads, and errors are not lost."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.evaluation import CocoPanopticMetric as MMDetCocoPanopticMetric
from mmengine.evaluator import Evaluator

from effnet_dense.evaluation import CocoPanopticMetric
from effnet_dense.evaluation import panoptic as module
from effnet_dense.report.attach import attach_collectors
from tests.helpers.panoptic_data import CLASSES, QUALITY, THINGS, predictions, write_panoptic


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_panoptic(tmp_path_factory.mktemp('panoptic'))


def built(kind: type[MMDetCocoPanopticMetric], root: Path, **kwargs: Any) -> Any:
    labels = root / 'annotations'
    metric = kind(
        ann_file=str(labels / 'panoptic_val2017.json'),
        seg_prefix=str(labels / 'panoptic_val2017'),
        **kwargs,
    )
    metric.dataset_meta = dict(classes=CLASSES, thing_classes=CLASSES[:THINGS])
    return metric


def samples() -> list[dict[str, Any]]:
    """Both images' predictions, as the evaluator gets them."""
    return [
        dict(
            img_id=int(name.removesuffix('.jpg')),
            img_path=name,
            ori_shape=labels.shape,
            pred_panoptic_seg=dict(sem_seg=torch.from_numpy(labels.copy())[None]),
        )
        for name, labels in sorted(predictions().items())
    ]


@pytest.mark.parametrize('workers', [1, 3])
def test_equals_mmdets(root: Path, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, 'PENDING', 1)
    theirs, ours = (
        built(MMDetCocoPanopticMetric, root),
        built(CocoPanopticMetric, root, workers=workers),
    )
    found = []
    for metric in (theirs, ours):
        for sample in samples() + samples() + samples():  # mmdet's own changes the maps
            metric.process({}, [sample])
        found.append(metric.evaluate(6))
    assert found[0] == found[1]
    assert found[1] == {
        f'coco_panoptic/{key}': pytest.approx(value) for key, value in QUALITY.items()
    }
    assert ours._threads is None


def test_predicted_maps_are_not_changed(root: Path) -> None:
    metric, (first, second) = built(CocoPanopticMetric, root), samples()
    metric.process({}, [first, second])
    metric.evaluate(2)
    for sample, expected in zip((first, second), samples(), strict=True):
        assert torch.equal(
            sample['pred_panoptic_seg']['sem_seg'], expected['pred_panoptic_seg']['sem_seg']
        )


def test_the_report_gets_the_same_counts(root: Path) -> None:
    metric = built(CocoPanopticMetric, root)
    evaluator = Evaluator([metric])
    evaluator.dataset_meta = metric.dataset_meta
    (collector,) = attach_collectors(evaluator)
    for each in evaluator.metrics:
        each.process({}, samples())
    evaluator.evaluate(2)
    matches = sum(
        each.pq_per_cat[label].tp for each in collector.gathered for label in each.pq_per_cat
    )
    assert len(collector.gathered) == 2
    assert matches > 0


def test_an_error_in_a_thread_ends_the_evaluation(root: Path) -> None:
    metric, (sample, _) = built(CocoPanopticMetric, root), samples()
    metric.process({}, [{**sample, 'img_path': 'missing.jpg'}])
    with pytest.raises(FileNotFoundError, match='missing'):
        metric.evaluate(1)


@pytest.mark.parametrize('workers', [0, -2, 1.5, '4'])
def test_other_numbers_of_threads_are_refused(root: Path, workers: Any) -> None:
    with pytest.raises(ValueError, match=f'an integer of at least 1, got {workers!r}'):
        built(CocoPanopticMetric, root, workers=workers)
