"""Replace `{{$VARIABLE:DEFAULT}}` in a Python config's text by the environment's values."""

from __future__ import annotations

import os
import re
from pathlib import Path

from mmengine.logging import print_log

from effnet_dense.engine.checks.plain_data import is_data

LONGEST = 4096
"""Characters of a default, so that searching a long hostile text takes a bounded time."""
VARIABLE = re.compile(rf"""\{{\{{['"]?\s*+\$(\w++)\s*+:\s*+(\S{{0,{LONGEST}}}?)\s*+['"]?\}}\}}""")


def substitute(filename: str, temporary: str) -> dict[str, str]:
    """Replace the variables of a config, as mmengine does, whose place this takes.

    mmengine uses DEFAULT as a regular expression: `a+b` would stay in the config, and `(a+)+b`
    may take hours. Here it is plain text. Nothing is replaced in YAML and JSON, which come from
    strangers: the address in a `load_from` would send the variable's value.

    Args:
        filename: The config.
        temporary: Where the config with the values is written.

    Returns:
        Variables that the environment has, and their values.

    Raises:
        KeyError: A variable is not set and has no default.
    """
    used: dict[str, str] = {}
    if is_data(temporary):
        return used

    def value(match: re.Match[str]) -> str:
        name, default = match.groups()
        if name in os.environ and name not in used:
            used[name] = os.environ[name]
            print_log(f'${name} of the environment replaces an item in {filename}')
        found = used.get(name, default)
        if not found:
            raise KeyError(f'${name} is not set and has no default in {{{{${name}:}}}}')
        return found

    text = VARIABLE.sub(value, Path(filename).read_text(encoding='utf-8'))
    Path(temporary).write_text(text, encoding='utf-8')
    return used
