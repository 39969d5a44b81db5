"""Entries that are None."""

from __future__ import annotations

from effnet_dense.engine.unset import without_unset


def test_only_what_is_none_goes() -> None:
    config = dict(env_cfg=None, randomness=dict(seed=1), load_from=None)
    assert without_unset(config) == dict(randomness=dict(seed=1), load_from=None)
    assert config['env_cfg'] is None, 'the config itself stays'
    assert without_unset(dict(a=1)) == dict(a=1)
