"""A run formats its config once."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from effnet_dense.engine.cached_text import CachedTextConfig, with_cached_text
from effnet_dense.engine.config import load_config
from tests.helpers.config_text import FORMATTER


@pytest.fixture
def formatted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that yapf has formatted."""
    texts: list[str] = []

    def format_code(text: str, **options: Any) -> tuple[str, bool]:
        texts.append(text)
        return text, True

    monkeypatch.setattr(FORMATTER, 'FormatCode', format_code)
    return texts


def test_once_until_a_value_changes(formatted: list[str], tmp_path: Path) -> None:
    config = with_cached_text(Config(dict(a=1, b=dict(c=[1, 2]))))
    assert config.pretty_text == config.pretty_text
    config.dump(str(tmp_path / 'dumped.py'))
    assert len(formatted) == 1
    assert Config.fromfile(tmp_path / 'dumped.py').b.c == [1, 2]
    config.b.c[0] = 5
    assert 'c=[5,2,]' in ''.join(config.pretty_text.split())
    assert len(formatted) == 2


def test_the_same_text_as_mmengines() -> None:
    plain = load_config('effnet_lite0_fpn_camvid')
    cached = with_cached_text(plain)
    assert cached.pretty_text == plain.pretty_text
    assert isinstance(cached, Config) and cached.filename == plain.filename


def test_copies_are_configs_of_their_own(formatted: list[str]) -> None:
    config = with_cached_text(Config(dict(a=1)))
    for copied in (copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert isinstance(copied, CachedTextConfig)
        copied.a = 2
        assert copied.pretty_text != config.pretty_text
    assert config.a == 1


def test_others_are_unchanged() -> None:
    values = dict(a=1)
    assert with_cached_text(values) is values
