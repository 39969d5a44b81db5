"""A config that formats its text once, where mmengine's does each time that it is read.

A run reads it for the log, the message hub, each visualizer, the work folder and every checkpoint;
formatting takes about half a second.
"""

from __future__ import annotations

from typing import Any

from mmengine.config import Config


class CachedTextConfig(Config):
    """mmengine's config; `pretty_text` is kept until a value changes."""

    @property
    def pretty_text(self) -> str:
        """The config as formatted Python code."""
        content = repr(self._cfg_dict)
        known = self.__dict__.get('_formatted')
        if known is None or known[0] != content:
            known = (content, super().pretty_text)
            self.__dict__['_formatted'] = known
        return known[1]


def with_cached_text(config: Any) -> Any:
    """Return a config that shares its values with the given one, and formats its text once.

    Args:
        config: mmengine's `Config`; others are returned unchanged.
    """
    if type(config) is not Config:
        return config
    cached = CachedTextConfig.__new__(CachedTextConfig)
    cached.__dict__.update(config.__dict__)
    return cached
