"""The figures that this project promises, each beside what a run measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks import detectors, features
from benchmarks.contender import OURS, Absent, Contender, line_up
from benchmarks.measure import measure
from benchmarks.report import Report
from effnet_dense.analysis.clock import ratio
from effnet_dense.analysis.settings import Settings


@dataclass(frozen=True)
class Target:
    """At most `limit`, for a row's metric, or for its ratio to that of another row.

    Args:
        report: The title of the report that both rows are in.
        metric: 'saved' (MiB an image), 'step' or 'inference 1' (medians of ratios by round).
        against: The other row; None for the metric itself.
    """

    report: str
    row: str
    metric: str
    limit: float
    against: str | None = None

    def value(self, reports: Mapping[str, Report]) -> float | None:
        """What was measured; None where a row is absent."""
        rows = {row.name: row for row in reports[self.report].rows}
        row, other = rows.get(self.row), rows.get(self.against or self.row)
        if row is None or other is None:
            return None
        if self.metric != 'saved':
            return ratio(row.times(self.metric), other.times(self.metric))
        if row.saved is None or other.saved is None:
            return None
        return row.saved if self.against is None else row.saved / other.saved


@dataclass(frozen=True)
class Result:
    """A target and what was measured."""

    target: Target
    value: float | None

    @property
    def verdict(self) -> str:
        """'met', 'missed', or 'absent'."""
        if self.value is None:
            return 'absent'
        return 'met' if self.value <= self.target.limit else 'missed'

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self.target), 'value': self.value, 'verdict': self.verdict}


INFERENCE_SIZES = {'b0': 512, 'b2': 416, 'b4': 384}


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


def run(settings: Settings, part: Sequence[str] | None = None) -> Iterator[Report]:
    """Measure what the targets need, a report at a time; about eight minutes on two quiet cores.

    Args:
        settings: Threads, device and repeats of training; sizes and batches are the targets'.
        part: Titles of some of the reports alone.

    Raises:
        ValueError: `part` names no report.
    """
    titles = list(dict.fromkeys(target.report for target in TARGETS))
    unknown = [title for title in part or [] if title not in titles]
    if unknown:
        raise ValueError(f'part must name some of {titles}, got {unknown}')
    for title in titles:
        if part is None or title in part:
            yield _report(title, settings)


def results(reports: Sequence[Report]) -> list[Result]:
    """The targets of those reports, in order."""
    by_title = {report.title: report for report in reports}
    return [
        Result(target, target.value(by_title)) for target in TARGETS if target.report in by_title
    ]


def _report(title: str, settings: Settings) -> Report:
    kind, name = title.split()
    size = {'d0': 512, 'd3': 896}.get(name, INFERENCE_SIZES.get(name, 512))
    if kind == 'inference':
        contenders, absent = _inference(name, size)
        own = replace(settings, size=size, batch=1, repeats=2 * settings.repeats + 1)
        return measure(title, contenders, own, ['gflops', 'inference'], absent)
    contenders, absent = _training(name, size)
    if kind == 'saved':
        own = replace(settings, size=size, batch=1)
        return measure(title, contenders, own, ['saved'], absent)
    own = replace(settings, size=size, batch=2)
    return measure(title, contenders, own, ['gflops', 'saved', 'peak', 'step'], absent)


def _training(name: str, size: int) -> tuple[list[Contender], list[Absent]]:
    if name.startswith('d'):
        own = detectors.ours(name, [1, 2], True)
        return line_up(own, detectors.peers(size), name, True, None)
    only = [OURS, 'timm', 'mmdet'] if name == 'b0' else [OURS, 'timm']
    return line_up(features.ours(name, [1, 2], True), features.PEERS, name, True, only)


def _inference(name: str, size: int) -> tuple[list[Contender], list[Absent]]:
    """Peers as they are and with norms folded, mmdet as shipped; ours deployed, and compiled."""
    if name.startswith('d'):
        own = detectors.ours(name, [None], True)
        present, absent = line_up(own, detectors.peers(size), name, True, None)
    else:
        own = features.ours(name, [None], True)
        only = [OURS, 'timm', 'mmdet']
        present, absent = line_up(own, features.PEERS, name, True, only)
    modes = {OURS: ('deployed', 'compiled'), 'mmdet': ('plain',)}
    if name.startswith('d'):
        modes[OURS] = ('deployed',)
    chosen = [
        contender.in_mode(mode)
        for contender in present
        if contender.ecosystem != 'mmdet' or not contender.channels_last
        for mode in modes.get(contender.ecosystem, ('plain', 'deployed'))
    ]
    return chosen, absent
