"""Compare this project's promised figures with what a run measures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks import detectors, features
from benchmarks.comparison import Comparison
from benchmarks.implementation import (
    OURS,
    Implementation,
    Unavailable,
    collect_implementations,
)
from benchmarks.measure import compare
from effnet_dense.analysis.latency import median_ratio
from effnet_dense.analysis.settings import Settings


@dataclass(frozen=True)
class Target:
    """An upper limit of a row's metric, or of its ratio to another row's.

    Args:
        report: The title of the comparison that has both rows.
        row: The name of an implementation.
        metric: 'saved' (MiB per image), 'step' or 'inference 1' (median ratios per round).
        limit: The largest value that meets the target.
        against: The other row; None limits the metric itself.
    """

    report: str
    row: str
    metric: str
    limit: float
    against: str | None = None

    def value(self, comparisons: Mapping[str, Comparison]) -> float | None:
        """Return what was measured; None if a row is missing."""
        rows = {row.name: row for row in comparisons[self.report].rows}
        row, other = rows.get(self.row), rows.get(self.against or self.row)
        if row is None or other is None:
            return None
        if self.metric != 'saved':
            return median_ratio(row.times(self.metric), other.times(self.metric))
        if row.saved is None or other.saved is None:
            return None
        return row.saved if self.against is None else row.saved / other.saved


@dataclass(frozen=True)
class Result:
    """A target and its measured value."""

    target: Target
    value: float | None

    @property
    def verdict(self) -> str:
        """'met', 'missed', or 'absent' (not measured)."""
        if self.value is None:
            return 'absent'
        return 'met' if self.value <= self.target.limit else 'missed'

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        return {**asdict(self.target), 'value': self.value, 'verdict': self.verdict}


INFERENCE_SIZES = {'b0': 512, 'b2': 416, 'b4': 384}
DETECTOR_SIZES = {'d0': 512, 'd3': 896}


def _targets() -> Iterator[Target]:
    lean = {1: 'ours b0, lean 1', 2: 'ours b0, lean 2'}
    timm, mmdet = 'timm tf_efficientnet_b0', 'mmdet b0'
    yield Target('train b0', lean[1], 'saved', 150)
    yield Target('train b0', lean[2], 'saved', 88)
    for arch in ('b3', 'b7'):
        other = f'timm tf_efficientnet_{arch}'
        yield Target(f'saved {arch}', f'ours {arch}, lean 1', 'saved', 0.36, other)
        yield Target(f'saved {arch}', f'ours {arch}, lean 2', 'saved', 0.21, other)
    yield Target('train d0', 'ours d0, lean 1', 'saved', 200)
    yield Target('saved d3', 'ours d3, lean 1', 'saved', 0.40, 'effdet tf_efficientdet_d3')
    yield Target('train b0', lean[1], 'step', 0.90, timm)
    yield Target('train b0', lean[2], 'step', 1.05, timm)
    yield Target('train b0', lean[1], 'step', 0.60, mmdet)
    yield Target('train d0', 'ours d0, lean 1', 'step', 0.85, 'effdet tf_efficientdet_d0')
    for arch in INFERENCE_SIZES:
        report, ours = f'inference {arch}', f'ours {arch}, deployed'
        other = f'timm tf_efficientnet_{arch}'
        yield Target(report, ours, 'inference 1', 0.85, other)
        yield Target(report, ours, 'inference 1', 1.00, f'{other}, deployed')
        yield Target(report, f'ours {arch}, compiled', 'inference 1', 0.65, other)
        yield Target(report, ours, 'inference 1', 0.60, f'mmdet {arch}')
    d0 = 'effdet tf_efficientdet_d0'
    yield Target('inference d0', 'ours d0, deployed', 'inference 1', 0.75, d0)


TARGETS = tuple(_targets())


def run_comparisons(
    settings: Settings, titles: Sequence[str] | None = None
) -> Iterator[Comparison]:
    """Run the comparisons that the targets need, one after the other.

    Takes about eight minutes on two quiet cores.

    Args:
        settings: Provides threads, device and repeats; the targets determine sizes and batches.
        titles: Comparisons to run; None: all.

    Raises:
        ValueError: A title is unknown.
    """
    known = list(dict.fromkeys(target.report for target in TARGETS))
    unknown = [title for title in titles or [] if title not in known]
    if unknown:
        raise ValueError(f'part must name some of {known}, got {unknown}')
    for title in known:
        if titles is None or title in titles:
            yield _run_comparison(title, settings)


def evaluate_targets(comparisons: Sequence[Comparison]) -> list[Result]:
    """Return the results of the targets in these comparisons, in order."""
    by_title = {comparison.title: comparison for comparison in comparisons}
    return [
        Result(target, target.value(by_title)) for target in TARGETS if target.report in by_title
    ]


def _run_comparison(title: str, settings: Settings) -> Comparison:
    kind, name = title.split()
    size = (DETECTOR_SIZES | INFERENCE_SIZES).get(name, 512)
    if kind == 'inference':
        implementations, unavailable = _inference_implementations(name, size)
        settings = replace(settings, size=size, batch=1, repeats=2 * settings.repeats + 1)
        return compare(title, implementations, settings, ['gflops', 'inference'], unavailable)
    implementations, unavailable = _training_implementations(name, size)
    if kind == 'saved':
        settings = replace(settings, size=size, batch=1)
        return compare(title, implementations, settings, ['saved'], unavailable)
    settings = replace(settings, size=size, batch=2)
    measures = ['gflops', 'saved', 'peak', 'step']
    return compare(title, implementations, settings, measures, unavailable)


def _training_implementations(
    name: str, size: int
) -> tuple[list[Implementation], list[Unavailable]]:
    if name in DETECTOR_SIZES:
        ours, peers = detectors.ours(name, [1, 2], True), detectors.peers(size)
        return collect_implementations(ours, peers, name, True, None)
    only = [OURS, 'timm', 'mmdet'] if name == 'b0' else [OURS, 'timm']
    ours = features.ours(name, [1, 2], True)
    return collect_implementations(ours, features.PEERS, name, True, only)


def _inference_implementations(
    name: str, size: int
) -> tuple[list[Implementation], list[Unavailable]]:
    """Return peers plain and with norms folded, mmdet plain only; ours deployed and compiled."""
    modes = {OURS: ('deployed', 'compiled'), 'mmdet': ('plain',)}
    if name in DETECTOR_SIZES:
        modes[OURS] = ('deployed',)
        ours, peers = detectors.ours(name, [None], True), detectors.peers(size)
        only = None
    else:
        ours, peers = features.ours(name, [None], True), features.PEERS
        only = [OURS, 'timm', 'mmdet']
    found, unavailable = collect_implementations(ours, peers, name, True, only)
    chosen = [
        implementation.in_mode(mode)
        for implementation in found
        if implementation.ecosystem != 'mmdet' or not implementation.channels_last
        for mode in modes.get(implementation.ecosystem, ('plain', 'deployed'))
    ]
    return chosen, unavailable
