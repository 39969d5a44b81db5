"""What becomes of the best score when a resumed run follows another metric."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn

from effnet_dense.engine.resume.compare import check_after_loading
from effnet_dense.engine.resume.config_changes import config_changes


def hub_after(saved: dict[str, Any], current: dict[str, Any], names: list[str]) -> set[str]:
    """What is left of the best scores after a run with other arguments has loaded them."""
    hub = {part: dict.fromkeys(['epoch', *names], 1) for part in ('runtime_info', 'resumed_keys')}
    lines: list[str] = []
    logger = SimpleNamespace(warning=lines.append, info=lines.append)
    runner = SimpleNamespace(model=nn.Linear(1, 1), logger=logger)
    configs = [{'default_hooks': {'checkpoint': hook}} for hook in (saved, current)]
    changes = config_changes(*configs)
    check_after_loading(runner, dict(meta={}, message_hub=hub), changes, False, False)
    assert hub['runtime_info'].keys() == hub['resumed_keys'].keys()
    assert all(change.key in lines[0] for change in changes), lines
    return {*hub['runtime_info']} - {'epoch'}


ONE, TWO = ['best_score', 'best_ckpt'], ['best_score_a', 'best_ckpt_a', 'best_score_b']


@pytest.mark.parametrize(
    ('saved', 'current', 'names'),
    [
        (dict(save_best='a'), dict(save_best='b'), ONE),
        (dict(save_best='a'), dict(), ONE),
        (dict(save_best='auto'), dict(save_best='a'), ONE),
        (dict(save_best='a', rule='greater'), dict(save_best='a', rule='less'), ONE),
        (dict(save_best=['a', 'b']), dict(save_best=['a', 'c']), TWO),
        (dict(save_best=['a', 'b'], rule='less'), dict(save_best=['a', 'b'], rule='greater'), TWO),
    ],
)
def test_scores_of_another_metric_or_rule_are_forgotten(
    saved: dict[str, Any], current: dict[str, Any], names: list[str]
) -> None:
    assert hub_after(saved, current, names) == set()


def test_scores_of_the_same_are_kept() -> None:
    changed = dict(save_best='a', interval=2)
    assert hub_after(dict(save_best='a', interval=1), changed, ONE) == set(ONE)
