"""Texts of configs without yapf, which takes half a second for each."""

from __future__ import annotations

import ast


def unformatted(text: str, **_: object) -> tuple[str, bool]:
    """Leave the text unchanged, in place of mmengine's `FormatCode`; as yapf, take only Python.

    `tests/engine/test_config.py` has formatted texts, and so have tools in new processes.
    """
    ast.parse(text)
    return text, False
