"""Turn schedules' fractions of an epoch into iterations; shorten warm-ups of short trainings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from effnet_dense.data.config_walk import type_name
from effnet_dense.engine.checks.schedule import NEVER
from effnet_dense.engine.settings.schedules import has_fractions, is_warm_up, periods_at
from effnet_dense.utils.counted import counted

SHORTEST = 2
"""Least steps of a warm-up: mmengine's never leaves the start of one in a single step."""


def in_iterations(schedules: Any, epoch_length: int) -> Any:
    """Convert configs of schedules that have fractions of an epoch; others are unchanged.

    Args:
        schedules: A config, or a list or dictionary of them.
        epoch_length: Iterations of an epoch.
    """
    if isinstance(schedules, list | tuple):
        converted = [in_iterations(node, epoch_length) for node in schedules]
        return [node for node in converted if node is not None]
    if not isinstance(schedules, Mapping):
        return schedules
    if 'type' not in schedules:
        named = {name: in_iterations(node, epoch_length) for name, node in schedules.items()}
        return {name: node for name, node in named.items() if node is not None}
    fractional = schedules.get('by_epoch', True) and has_fractions(schedules)
    return _converted(dict(schedules), epoch_length) if fractional else schedules


def _converted(node: dict[str, Any], epoch_length: int) -> dict[str, Any] | None:
    begin = node.get('begin', 0)
    for name in ('begin', 'end'):
        if node.get(name, NEVER) < NEVER:
            node[name] = round(node[name] * epoch_length)
    first = node.get('begin', 0)
    for name in ('T_max', 'step_size', 'total_steps'):  # counted from the begin
        if node.get(name) is not None:
            node[name] = max(round((begin + node[name]) * epoch_length) - first, 1)
    if node.get('milestones'):
        steps = (max(round(step * epoch_length), 1) for step in node['milestones'])
        node['milestones'] = sorted(set(steps))
    if node.get('periods'):
        node['periods'] = periods_at(node['periods'], lambda end: round(end * epoch_length))
    node.pop('convert_to_iter_based', None)
    node['by_epoch'] = False
    least = SHORTEST if is_warm_up(node) else 1
    return node if node.get('end', NEVER) - first >= least else None


def shorten_warm_ups(schedules: Any, share: float, iterations: int) -> tuple[Any, list[str]]:
    """Limit warm-ups that count iterations to a share of the training.

    Schedules in iterations that begin at the end of a warm-up begin earlier with it.

    Args:
        schedules: As in `in_iterations`.
        share: The largest share.
        iterations: Of the training.

    Returns:
        The schedules, and a line for each warm-up that is shorter.
    """
    if isinstance(schedules, Mapping) and 'type' not in schedules:
        named = {key: shorten_warm_ups(n, share, iterations) for key, n in schedules.items()}
        kept = {name: node for name, (node, _) in named.items()}
        return kept, [line for _, lines in named.values() for line in lines]
    nodes = list(schedules) if isinstance(schedules, list | tuple) else [schedules]
    most, moved, lines = int(share * iterations), {}, []
    for node in nodes:
        if _counts_iterations(node) and is_warm_up(node) and node['end'] > most:
            moved[node['end']] = most
            lines.append(
                f'{type_name(node)}: the warm-up takes {counted(most, "iteration")} in place of '
                f'{node["end"]}, {share:.0%} of the training'
            )
    shortened = [_moved(node, moved) for node in nodes]
    return [node for node in shortened if node is not None], lines


def _moved(node: Any, moved: dict[int, int]) -> Any:
    if not _counts_iterations(node):
        return node
    if is_warm_up(node) and node['end'] in moved:
        end = moved[node['end']]
        return {**node, 'end': end} if end >= SHORTEST else None
    begin = moved.get(node.get('begin', 0))
    return node if begin is None else {**node, 'begin': begin}


def _counts_iterations(node: Any) -> bool:
    return isinstance(node, Mapping) and not node.get('by_epoch', True)
