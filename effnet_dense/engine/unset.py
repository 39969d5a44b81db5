"""Leave out entries of a config that are None where mmengine expects a dictionary."""

from __future__ import annotations

import copy
from typing import Any

UNSET = ('env_cfg', 'randomness')
"""Entries that mmengine has defaults for, but of which it does not read None."""


def without_unset(cfg: Any) -> Any:
    """Return a config without those entries of `UNSET` that are None."""
    unset = [key for key in UNSET if key in cfg and cfg.get(key) is None]
    if not unset:
        return cfg
    cfg = copy.deepcopy(cfg)
    for key in unset:
        cfg.pop(key)
    return cfg
