"""Write a planned config: what differs from the shipped config that it inherits."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from effnet_dense.engine.config import find_config
from effnet_dense.engine.config_files import read_config
from effnet_dense.utils.outputs import new_output

RUN_KEYS = (
    *('model', 'train_dataloader', 'val_dataloader', 'test_dataloader', 'train_cfg'),
    *('param_scheduler', 'optim_wrapper', 'auto_scale_lr', 'default_hooks', 'randomness'),
)
"""What training reads; shipped files have further names, such as train_pipeline, for themselves."""


def differences(base: Mapping[str, Any], planned: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a config must state to become another one by inheritance.

    Lists are stated as a whole, as mmengine replaces them; a dictionary that lacks keys of the
    base's gets `_delete_=True`.
    """
    found: dict[str, Any] = {}
    for key, value in planned.items():
        if key not in base:
            found[key] = value
        elif isinstance(value, Mapping):
            if not isinstance(base[key], Mapping) or set(base[key]) - set(value):
                found[key] = {'_delete_': True, **value}
            elif inner := differences(base[key], value):
                found[key] = inner
        elif not _equal(base[key], value):
            found[key] = value
    return found


def _equal(a: Any, b: Any) -> bool:
    """Whether two values are the same for mmengine, to which tuples and lists are alike."""
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    return bool(a == b)


def config_text(docstring: str, name: str, base: Config, planned: Config) -> str:
    """Return the text of a config file.

    Args:
        docstring: Of the file.
        name: Of the shipped config that it inherits.
        base: That config.
        planned: What the file must amount to.
    """
    before, after = (
        {key: config.to_dict()[key] for key in RUN_KEYS if key in config}
        for config in (base, planned)
    )
    values = Config(differences(before, after))
    text = values.pretty_text.replace('"""', "'''")
    return f'"""{docstring}"""\n\n_base_ = {base_reference(name)!r}\n\n{text}'


def base_reference(name: str) -> str:
    """Return how a config file anywhere names a shipped config.

    By the package's name where mmengine finds its configs, as from a wheel; else by its path.
    """
    reference = f'effnet_dense::{name}.py'
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'inherits.py')
        path.write_text(f'_base_ = {reference!r}\n', encoding='utf-8')
        with contextlib.suppress(ValueError, OSError):
            read_config(path)
            return reference
    return str(find_config(name))


def check_new(path: Path) -> None:
    """Raise a FileExistsError if a file would be overwritten, a ValueError for other suffixes."""
    if path.suffix != '.py':
        raise ValueError(f'--out expects a name with .py, for a config, got {str(path)!r}')
    if path.exists() or path.is_symlink():
        raise FileExistsError(
            f'--out {path} exists; a plan overwrites nothing: choose another name'
        )


def write_config(path: Path, text: str) -> None:
    """Write a new file.

    Raises:
        FileExistsError: It exists.
    """
    check_new(path)
    with new_output(path) as partial:
        partial.write_text(text, encoding='utf-8')
