"""Names that YAML and JSON configs may give as `type`."""

from __future__ import annotations

import pytest

from effnet_dense.engine.checks.registered_names import (
    ELSEWHERE,
    albumentations_names,
    registered_names,
)


def test_names_of_all_libraries_with_and_without_their_scope() -> None:
    names, scopes = registered_names()
    assert {'mmengine', 'mmdet', 'mmseg', 'effnet_dense'} <= scopes
    for name in ('mmdet.RetinaNet', 'mmseg.EncoderDecoder', 'effnet_dense.BiFPN', 'mmengine.SGD'):
        assert {name, name.partition('.')[2]} <= names
    assert names >= ELSEWHERE
    assert not {'subprocess.check_output', 'os.system', 'eval', 'print', ''} & names


def test_names_of_albumentations(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {'RandomGamma', 'OneOf'} <= albumentations_names()
    assert not {'os', 'albumentations', '__name__'} & albumentations_names()
    monkeypatch.setitem(__import__('sys').modules, 'albumentations', None)
    assert albumentations_names() == set()
