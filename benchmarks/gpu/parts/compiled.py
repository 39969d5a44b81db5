"""Inference of deployed networks: plain, norms folded, compiled; one image and a batch."""

from __future__ import annotations

from benchmarks import detectors, features
from benchmarks.comparison import Comparison
from benchmarks.gpu.conditions import Conditions
from benchmarks.gpu.contenders import peers_of
from benchmarks.gpu.parts.profile import own_networks
from benchmarks.gpu.record import Record
from benchmarks.implementation import Implementation
from benchmarks.measure import compare
from benchmarks.training_modes import in_modes
from effnet_dense.analysis.settings import MIN_SIZE

SIZE, BATCH = 512, 16


def run(conditions: Conditions, record: Record) -> None:
    """Measure B0's C3–C5, and D0."""
    timm = [peer for peer in features.PEERS if peer.ecosystem == 'timm']
    own = own_networks(conditions)[:1] if conditions.dry else features.ours('b0', [None], True)
    _measure(conditions, record, 'b0', [*peers_of(timm, 'b0', record), *own])
    if not conditions.dry:
        own = detectors.ours('d0', [None], True)
        _measure(conditions, record, 'd0', [*peers_of(detectors.peers(SIZE), 'd0', record), *own])


def _measure(
    conditions: Conditions, record: Record, name: str, networks: list[Implementation]
) -> None:
    size = conditions.pick(SIZE, MIN_SIZE)
    settings = conditions.settings(size, BATCH)
    # One mode after the other, so that what a compiler cannot do costs the others nothing.
    for mode in conditions.pick(('deployed', 'compiled'), ('deployed',)):
        contenders = in_modes(networks, ['plain', mode])
        try:
            comparison = compare(f'inference {name}', contenders, settings, ['inference'])
        except Exception as error:
            record.note(f'{name}, {mode}: {type(error).__name__}: {error}')
            continue
        _add(record, f'inference of {name}, {size}², bf16, {mode}', comparison)


def _add(record: Record, title: str, comparison: Comparison) -> None:
    for row in comparison.rows:
        found = {'first s': row.first_pass_s}
        for metric in comparison.metrics():
            found[f'{metric}, ms/img'] = min(row.times(metric))
            found[f'{metric}, ratio'] = comparison.ratio(row, metric)
        record.add(title, network=row.name, **found)
