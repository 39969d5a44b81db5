"""The largest network within a budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from effnet_dense.analysis.scaling.networks import (
    Network,
    backbone_of_phi,
    detector_network,
    published_backbones,
    published_networks,
)
from effnet_dense.scaling import architecture, compound_detector

TASKS = ('backbone', 'efficientdet')
STEP = 0.1
# B8's φ is 7.3, and the rule for detectors ends at 7.
LARGEST = {'backbone': 8.0, 'efficientdet': 7.0}

Cost = Callable[[Network], float]


@dataclass(frozen=True)
class Suggestion:
    """A network within the budget, and what it costs in the budget's unit."""

    network: Network
    cost: float


def published_within(
    cost: Cost, budget: float, task: str = 'backbone', size: int | None = None
) -> Suggestion | None:
    """The last published network, in the order of their sizes, before the first that is too large.

    Args:
        cost: Of a network, in the budget's unit.
        budget: What it may cost.
        task: Of `TASKS`.
        size: Of the pictures, in pixels; by default each network's own.
    """
    _check(budget, task)
    found = None
    for network in _published(task):
        spent = cost(network.at(size))
        if spent > budget:
            break
        found = Suggestion(network.at(size), spent)
    return found


def phi_within(
    cost: Cost, budget: float, task: str = 'backbone', size: int | None = None
) -> Suggestion | None:
    """The network of the largest φ, a multiple of 0.1, within the budget; None if φ = 0 is not.

    φ is doubled until it is too large, then the interval is halved: no network much larger than
    the answer is measured, and seven or eight at all.
    """
    _check(budget, task)

    def at(index: int) -> Suggestion:
        network = network_of_phi(round(index * STEP, 1), task).at(size)
        return Suggestion(network, cost(network))

    return largest_within(at, budget, round(LARGEST[task] / STEP))


def largest_within(at: Callable[[int], Suggestion], budget: float, last: int) -> Suggestion | None:
    """The suggestion of the largest index from 0 to `last` within the budget; costs grow."""
    best = at(0)
    if best.cost > budget:
        return None
    fits, too_large, step = 0, last + 1, 10
    while fits < last and too_large > last:
        guess = min(fits + step, last)
        suggestion = at(guess)
        if suggestion.cost > budget:
            too_large = guess
        else:
            fits, best, step = guess, suggestion, 2 * step
    while too_large - fits > 1 and fits < last:
        guess = (fits + too_large) // 2
        suggestion = at(guess)
        if suggestion.cost > budget:
            too_large = guess
        else:
            fits, best = guess, suggestion
    return best


def network_of_phi(phi: float, task: str) -> Network:
    """The backbone or the EfficientDet of a φ, between published ones too."""
    if task == 'backbone':
        return backbone_of_phi(phi)
    return detector_network(f'phi {phi:g}', compound_detector(phi))


def config_lines(network: Network) -> str:
    """What to write into a config for this network."""
    if network.detector is not None:
        model = network.detector.model()
    else:
        channels = list(architecture(network.arch).channels()[3:6])
        model = dict(backbone=dict(arch=network.arch), neck=dict(in_channels=channels))
    parts = [f'    {name}={_source(part)},' for name, part in model.items()]
    return '\n'.join([f'image_size = {(network.size, network.size)}', 'model = dict(', *parts, ')'])


def _source(value: Any) -> str:
    if not isinstance(value, Mapping):
        return repr(value)
    return f'dict({", ".join(f"{key}={_source(part)}" for key, part in value.items())})'


def _published(task: str) -> Sequence[Network]:
    if task == 'backbone':
        return published_backbones()
    return published_networks('detection', 'b')


def _check(budget: float, task: str) -> None:
    if task not in TASKS:
        raise ValueError(f'task must be one of {", ".join(TASKS)}, got {task!r}')
    if not 0 < budget < math.inf:
        raise ValueError(f'a budget must be a positive number, got {budget}')
