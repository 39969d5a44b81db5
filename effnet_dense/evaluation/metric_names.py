"""List the names of the results that a metric will return, before it has evaluated anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

COCO_ITEMS = (
    *('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l', 'AR@100', 'AR@300', 'AR@1000'),
    *('AR_s@1000', 'AR_m@1000', 'AR_l@1000'),
)
COCO_DEFAULT = dict(proposal=COCO_ITEMS[6:], bbox=COCO_ITEMS[:6], segm=COCO_ITEMS[:6])
IOU_RESULTS = dict(
    mIoU=('mIoU', 'mAcc'), mDice=('mDice', 'mAcc'), mFscore=('mFscore', 'mPrecision', 'mRecall')
)
CROWD_RESULTS = dict(AP='mAP', MR='mMR', JI='JI')


def result_names(metric: Any) -> set[str] | None:
    """Return the names of a built metric's results, with its prefix.

    Args:
        metric: mmengine's, mmdet's, mmseg's or this package's, with its `dataset_meta`.

    Returns:
        None if they are unknown: the class computes its results by itself.

    Raises:
        ValueError: The metric's arguments name results that it does not have.
    """
    for cls in type(metric).__mro__:
        if 'evaluate' in vars(cls) and cls.__name__ != 'BaseMetric':
            return None
        if 'compute_metrics' in vars(cls):
            find = _KNOWN.get(f'{cls.__module__.partition(".")[0]}.{cls.__name__}')
            if find is None:
                return None
            names = () if getattr(metric, 'format_only', False) else find(metric)
            prefix = f'{metric.prefix}/' if metric.prefix else ''
            return {f'{prefix}{name}' for name in names}
    return None


def coco_names(metric: Any) -> Iterator[str]:
    """Yield the names of a CocoMetric's results, without its prefix.

    Raises:
        ValueError: Its `metric_items` are unknown.
    """
    items = metric.metric_items
    if items is not None:
        _check('metric_items', items, COCO_ITEMS)
    for kind in metric.metrics:
        if kind == 'proposal_fast':
            yield from (f'AR@{number}' for number in metric.proposal_nums)
            continue
        prefix = '' if kind == 'proposal' else f'{kind}_'
        yield from (f'{prefix}{item}' for item in items or COCO_DEFAULT[kind])
        if metric.classwise and kind != 'proposal':
            yield from (f'{name}_precision' for name in (metric.dataset_meta or {})['classes'])


def _iou(metric: Any) -> Iterator[str]:
    kinds = [metric.metrics] if isinstance(metric.metrics, str) else metric.metrics
    _check('iou_metrics', kinds, IOU_RESULTS)
    yield 'aAcc'
    for kind in kinds:
        yield from IOU_RESULTS[kind]


def _check(argument: str, given: Any, known: Iterable[str]) -> None:
    """Check a list of names, which the metric itself would check after the first evaluation."""
    if not isinstance(given, list | tuple):
        raise ValueError(f'{argument} must be a list of {", ".join(known)}, got {given!r}')
    for name in given:
        if name not in known:
            raise ValueError(f'{argument} must be of {", ".join(known)}, got {name!r}')


def _panoptic(metric: Any) -> Iterator[str]:
    yield from (f'{kind}Q{part}' for kind in 'PSR' for part in ('', '_th', '_st'))


def _voc(metric: Any) -> Iterator[str]:
    if metric.metric == 'mAP':
        yield from _average_precisions(metric)
        return
    for number in metric.proposal_nums:
        yield from (f'recall@{number}@{threshold}' for threshold in metric.iou_thrs)
        if len(metric.iou_thrs) > 1:
            yield f'AR@{number}'


def _average_precisions(metric: Any) -> Iterator[str]:
    yield 'mAP'
    yield from (f'AP{int(threshold * 100):02d}' for threshold in metric.iou_thrs)


_KNOWN: dict[str, Callable[[Any], Iterable[str]]] = {
    'effnet_dense.ConfusionMatrix': lambda metric: (),
    'mmdet.CityScapesMetric': lambda metric: ('mAP', 'AP@50'),
    'mmdet.CocoMetric': coco_names,
    'mmdet.CocoPanopticMetric': _panoptic,
    'mmdet.CrowdHumanMetric': lambda metric: (CROWD_RESULTS[kind] for kind in metric.metrics),
    'mmdet.DumpProposals': lambda metric: (),
    'mmdet.OpenImagesMetric': _average_precisions,
    'mmdet.VOCMetric': _voc,
    'mmengine.DumpResults': lambda metric: (),
    'mmseg.CityscapesMetric': lambda metric: (
        'averageScoreCategories',
        'averageScoreInstCategories',
    ),
    'mmseg.DepthMetric': lambda metric: metric.metrics,
    'mmseg.IoUMetric': _iou,
}
