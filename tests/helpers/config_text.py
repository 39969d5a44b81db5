"""Texts of configs without yapf, which takes half a second for each."""

from __future__ import annotations

import ast
from typing import Any

import mmengine.config.config
from yapf.yapflib import yapf_api

FORMATTER: Any = mmengine.config.config
"""The module whose `FormatCode` formats configs; OneDL's mmengine takes yapf's own at each call."""
if not hasattr(FORMATTER, 'FormatCode'):
    FORMATTER = yapf_api
YAPFS_OWN = yapf_api.FormatCode


def unformatted(text: str, **_: object) -> tuple[str, bool]:
    """Leave the text unchanged, in place of mmengine's `FormatCode`; as yapf, take only Python.

    `tests/engine/test_config.py` has formatted texts, and so have tools in new processes.
    """
    ast.parse(text)
    return text, False
