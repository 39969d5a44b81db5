"""Check the content of a YAML or JSON config: it describes a run, and can execute nothing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from effnet_dense.engine.checks.registered_names import albumentations_names, registered_names
from effnet_dense.engine.checks.unpickled_files import unpickled_files

MAX_VALUES = 200_000
"""Values of a config, counted as often as they are referred to."""
TYPE_KEYS = ('type', 'constructor', 'runner_type')
SCOPE_KEYS = ('_scope_', 'default_scope')
# The last one unpickles a file, the others pass their arguments to Python's eval.
EVALUATING = ('CameraMotionCompensation', 'RFSearchHook', 'OpenImagesChallengeDataset')
WRITE_PYTHON = 'in YAML and JSON, which are data; write a Python config for it'
PREDEFINED = ('fileDirname', 'fileBasename', 'fileBasenameNoExtension', 'fileExtname')
PLACEHOLDER = re.compile(r'\{\{([^{}\n]*)\}\}')
NAME_ALONE = re.compile(r'\{\{\s*([A-Za-z_$][\w.]*)\s*\}\}')
DEFINED = re.compile(rf'\s*(?:{"|".join(PREDEFINED)}|_base_\.[\w.]+)\s*')
MAX_PLACEHOLDERS = 1000


def check_size(content: Any) -> None:
    """Check that content without YAML's aliases is finite and of a reasonable size.

    Raises:
        ValueError: A value contains itself, or there are more than `MAX_VALUES`.
    """
    sizes: dict[int, int] = {}
    if _size(content, sizes, set()) > MAX_VALUES:
        raise ValueError(f'its aliases expand to more than {MAX_VALUES} values')


def _size(node: Any, sizes: dict[int, int], open_nodes: set[int]) -> int:
    """Count values as often as they are referred to; each object is visited once."""
    if not isinstance(node, dict | list):
        return 1
    if id(node) in open_nodes:
        raise ValueError('a value contains itself')
    if id(node) not in sizes:
        open_nodes.add(id(node))
        children = node.values() if isinstance(node, dict) else node
        sizes[id(node)] = 1 + sum(_size(child, sizes, open_nodes) for child in children)
        open_nodes.remove(id(node))
    return sizes[id(node)]


def check_mapping(content: Any) -> None:
    """Check a config's top level.

    Raises:
        ValueError: It is no mapping, or has keys that are not text.
    """
    if content is None:
        raise ValueError('it is empty, expected KEY: VALUE')
    if not isinstance(content, dict):
        raise ValueError(f'expected KEY: VALUE at the top, got a {type(content).__name__}')
    for key in content:
        if not isinstance(key, str):
            raise ValueError(f'the keys at the top must be names, got {key!r}')


def check_distinct(keys: Iterable[str]) -> None:
    """Check that no key of a mapping is written twice, of which readers drop the first.

    Raises:
        ValueError: Names the first that is.
    """
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise ValueError(f'the key {key!r} is written twice in one mapping')
        seen.add(key)


def check_bases(bases: Any, data: bool) -> None:
    """Check the `_base_` of a config.

    Args:
        bases: A file or a list of files.
        data: The config is YAML or JSON.

    Raises:
        ValueError: An entry is no text, or a Python file inherited by data.
    """
    for base in bases if isinstance(bases, list | tuple) else [bases]:
        if not isinstance(base, str):
            raise ValueError(f'_base_ must name files, got {base!r}')
        if data and not is_data(base):
            raise ValueError(f'_base_ {base!r} is not allowed {WRITE_PYTHON}')


def check_placeholders(text: str) -> None:
    """Check that every `{{…}}` of a data file is one that is replaced.

    Raises:
        ValueError: Names the first that is not, or there are too many.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith('#')]
    found = PLACEHOLDER.findall('\n'.join(lines))
    if len(found) > MAX_PLACEHOLDERS:
        raise ValueError(
            f'it has {len(found)} items in {{{{ }}}}, at most {MAX_PLACEHOLDERS} are read'
        )
    for inside in found:
        name = inside.strip().strip('\'"').strip()
        if name.startswith('$'):
            raise ValueError(
                f'the variable {name.partition(":")[0].strip()} of the environment is not allowed '
                f'{WRITE_PYTHON}, or --cfg-options'
            )
        if not DEFINED.fullmatch(inside):
            raise ValueError(_undefined(inside.strip()))


def check_replaced(content: Any) -> None:
    """Check that no text is left in which `{{name}}` was not replaced.

    Raises:
        ValueError: Names the first.
    """
    for value in _texts(content):
        left = NAME_ALONE.search(value)
        if left:
            raise ValueError(_undefined(left[1]))


def _undefined(name: str) -> str:
    return (
        f'nothing defines {name!r} in {{{{ {name} }}}}; known are {", ".join(PREDEFINED)}, '
        '_base_.KEY and, in Python, $VARIABLE:DEFAULT'
    )


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict | list | tuple):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _texts(child)


def check_runs_nothing(content: dict[str, Any]) -> None:
    """Check that types are registered names, and that nothing is imported or unpickled.

    Raises:
        ValueError: Names the key, the value and near names.
    """
    if 'custom_imports' in content:
        raise ValueError(f'custom_imports is not allowed {WRITE_PYTHON}')
    for key, value in unpickled_files(content):
        raise ValueError(
            f'{key} is {value!r:.100}, and reading such a file may run code, which is not allowed '
            f'{WRITE_PYTHON}'
        )
    values = list(_named_types(content))
    if not values:
        return
    names, scopes = registered_names()
    if any(value not in names for key, value in values if isinstance(value, str)):
        names |= albumentations_names()
    for key, value in values:
        known = scopes if key.rpartition('.')[2] in SCOPE_KEYS else names
        if not isinstance(value, str) or value not in known:
            near = difflib.get_close_matches(str(value), known, n=3)
            hint = f'; did you mean {", ".join(near)}?' if near else ''
            raise ValueError(
                f'{key} is {value!r}, which is no registered name: nothing else is allowed '
                f'{WRITE_PYTHON}{hint}'
            )
        if value.rpartition('.')[2] in EVALUATING:
            raise ValueError(f'{key} {value!r} runs code, which is not allowed {WRITE_PYTHON}')


def _named_types(node: Any, prefix: str = '') -> Iterator[tuple[str, Any]]:
    """Yield the dotted keys and values that mmengine looks up in registries or imports."""
    if not isinstance(node, dict | list | tuple):
        return
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        path = f'{prefix}{key}'
        if key in (*TYPE_KEYS, *SCOPE_KEYS) and value is not None:
            yield path, value
        yield from _named_types(value, f'{path}.')


def is_data(path: str | Path) -> bool:
    """Whether a config is data by its suffix: YAML or JSON."""
    return str(path).endswith(('.yaml', '.yml', '.json'))
