"""Label maps whose pixels of other classes have no class."""

from __future__ import annotations

from typing import Any

import pytest

from effnet_dense.engine.settings.class_labels import choose_labels

BEFORE, CHOSEN = ('a', 'b', 'c'), ('c', 'a')  # b is ignored


def chosen(step: dict[str, Any], **dataset: Any) -> dict[str, Any]:
    choose_labels(dict(pipeline=[step], **dataset), BEFORE, CHOSEN, named_by_type=False)
    return step


@pytest.mark.parametrize(
    ('step', 'expected'),
    [
        (dict(num_classes=3, ignore=9), {'values': {'0': 1, '1': 255, '2': 0, '9': 255}}),
        (dict(num_classes=3, ignore=None), {'values': {'0': 1, '1': 255, '2': 0}}),
        (dict(values={'7': 0, '8': 1, '0': 255}), {'values': {'7': 1, '8': 255, '0': 255}}),
        (
            dict(colours={'#ff0000': 2, '#00ff00': 1}, unknown_ignored=True),
            {'colours': {'#ff0000': 0, '#00ff00': 255}, 'unknown_ignored': True},
        ),
    ],
)
def test_tables(step: dict[str, Any], expected: dict[str, Any]) -> None:
    found = chosen(dict(type='effnet_dense.LoadLabelMap', **step))
    assert found == dict(type='effnet_dense.LoadLabelMap', num_classes=2, **expected)


@pytest.mark.parametrize('where', ['step', 'dataset'])
def test_a_first_value_without_a_class(where: str) -> None:
    reduced = dict(reduce_zero_label=True)
    step = dict(type='LoadAnnotations', **(reduced if where == 'step' else {}))
    found = chosen(step, **(reduced if where == 'dataset' else {}))
    assert found['values'] == {'0': 255, '1': 1, '2': 255, '3': 0, '255': 255}


def test_types_with_classes_renumber_themselves() -> None:
    step = dict(type='LoadAnnotations')
    choose_labels(dict(pipeline=[step]), BEFORE, CHOSEN, named_by_type=True)
    assert step == dict(type='LoadAnnotations')
