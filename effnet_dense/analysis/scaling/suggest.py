"""Find the largest network within a budget."""

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
LARGEST_PHI = {'backbone': 8.0, 'efficientdet': 7.0}
"""B8's φ is 7.3, and the rule for detectors ends at 7."""

CostFunction = Callable[[Network], float]


@dataclass(frozen=True)
class Suggestion:
    """A network within the budget, and its cost in the budget's unit."""

    network: Network
    cost: float


def published_within(
    cost: CostFunction, budget: float, task: str = 'backbone', size: int | None = None
) -> Suggestion | None:
    """Return the last published network, by size, before the first that exceeds the budget.

    Args:
        cost: A network → its cost in the budget's unit.
        budget: The largest cost.
        task: One of `TASKS`.
        size: Image size in pixels; by default each network's own.
    """
    _check(budget, task)
    found = None
    for network in _published(task):
        network_cost = cost(network.at(size))
        if network_cost > budget:
            break
        found = Suggestion(network.at(size), network_cost)
    return found


def phi_within(
    cost: CostFunction, budget: float, task: str = 'backbone', size: int | None = None
) -> Suggestion | None:
    """Return the network of the largest φ, in steps of 0.1, within the budget.

    φ is doubled until it is too large, then the interval is bisected: seven or eight networks
    are measured, none of them much larger than the result.

    Returns:
        None if φ = 0 exceeds the budget.
    """
    _check(budget, task)

    def at_index(index: int) -> Suggestion:
        network = network_of_phi(round(index * STEP, 1), task).at(size)
        return Suggestion(network, cost(network))

    return largest_within(at_index, budget, round(LARGEST_PHI[task] / STEP))


def largest_within(
    at_index: Callable[[int], Suggestion], budget: float, last: int
) -> Suggestion | None:
    """Return the suggestion of the largest index from 0 to `last` within the budget.

    Args:
        at_index: Index → suggestion; costs grow with the index.
        budget: The largest cost.
        last: The largest index.
    """
    best = at_index(0)
    if best.cost > budget:
        return None
    fits, too_large, step = 0, last + 1, 10
    while fits < last and too_large > last:
        guess = min(fits + step, last)
        suggestion = at_index(guess)
        if suggestion.cost > budget:
            too_large = guess
        else:
            fits, best, step = guess, suggestion, 2 * step
    while too_large - fits > 1 and fits < last:
        guess = (fits + too_large) // 2
        suggestion = at_index(guess)
        if suggestion.cost > budget:
            too_large = guess
        else:
            fits, best = guess, suggestion
    return best


def network_of_phi(phi: float, task: str) -> Network:
    """Return the backbone or the EfficientDet of any φ, published or not."""
    if task == 'backbone':
        return backbone_of_phi(phi)
    return detector_network(f'phi {phi:g}', compound_detector(phi))


def config_lines(network: Network) -> str:
    """Return the lines of a config for this network."""
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
