"""A complete EfficientDet-D0's training step beside effdet's."""

from __future__ import annotations

from benchmarks import detectors
from benchmarks.gpu.conditions import Conditions
from benchmarks.gpu.contenders import measure_all, peers_of
from benchmarks.gpu.record import Record
from benchmarks.implementation import Implementation
from benchmarks.training_modes import in_modes
from effnet_dense.lean import LEVELS

NAME, SIZE = 'd0', 512
BATCHES = (8, 32)


def run(conditions: Conditions, record: Record) -> None:
    """Measure eager steps and graphs at both batches, and then what is compiled."""
    size = conditions.pick(SIZE, detectors.MULTIPLE)
    networks = [*peers_of(detectors.peers(size), NAME, record), *_own(conditions)]
    title = f'training step of {NAME}, {size}², bf16, channels-last, without losses'
    for batch in conditions.pick(BATCHES, (2,)):
        settings = conditions.settings(size, batch)
        contenders = in_modes(networks, conditions.pick(['plain', 'graphed'], ['plain']))
        measure_all(conditions, record, title, contenders, settings)
    if not conditions.dry:
        compiled = in_modes(networks, ['compiled'])
        measure_all(conditions, record, title, compiled, conditions.settings(size, BATCHES[0]))


def _own(conditions: Conditions) -> list[Implementation]:
    return detectors.ours(NAME, conditions.pick(LEVELS, LEVELS[:1]), channels_last=True)
