"""Where a backbone's training step spends its time: lean levels and timm, in each mode."""

from __future__ import annotations

from functools import partial

from benchmarks import features
from benchmarks.gpu.conditions import Conditions
from benchmarks.gpu.contenders import measure_all, peers_of
from benchmarks.gpu.record import Record
from benchmarks.gpu.trainings import TINY
from benchmarks.implementation import OURS, Implementation
from benchmarks.training_modes import in_modes
from effnet_dense.analysis.settings import MIN_SIZE
from effnet_dense.lean import LEVELS
from effnet_dense.models import EfficientNet

ARCH, SIZE = 'b0', 512
BATCHES = (2, 8, 32)
COMPILED_BATCH = 8


def run(conditions: Conditions, record: Record) -> None:
    """Measure what runs eagerly or from graphs at all batches, and then what is compiled."""
    timm = [peer for peer in features.PEERS if peer.ecosystem == 'timm']
    networks = [*peers_of(timm, ARCH, record), *own_networks(conditions)]
    size = conditions.pick(SIZE, MIN_SIZE)
    title = f'training step of {ARCH}, {size}², bf16, channels-last'
    for batch in conditions.pick(BATCHES, (2,)):
        settings = conditions.settings(size, batch)
        contenders = in_modes(networks, ['plain', 'graphed'])
        measure_all(conditions, record, title, contenders, settings)
    compiled = in_modes(conditions.pick(networks, networks[-1:]), ['compiled'])
    measure_all(conditions, record, title, compiled, conditions.settings(size, COMPILED_BATCH))


def own_networks(conditions: Conditions) -> list[Implementation]:
    """Return ours at each lean level; in a dry run small ones."""
    if not conditions.dry:
        return features.ours(ARCH, LEVELS, channels_last=True)
    return [
        Implementation(OURS, f'small, lean {level}', partial(EfficientNet, TINY, lean=level), '')
        for level in (0, 1)
    ]
