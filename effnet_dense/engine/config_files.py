"""Read a config file with the files that it inherits; YAML and JSON among them stay data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.config import config as mmengine_config

from effnet_dense.engine.checks.config_text import read_config_text
from effnet_dense.engine.checks.plain_data import (
    check_bases,
    check_placeholders,
    check_replaced,
    check_runs_nothing,
    is_data,
)
from effnet_dense.engine.placeholders import substitute
from effnet_dense.engine.plain_yaml import plain_yaml

MAX_MESSAGE = 400
SUFFIXES = ('.py', '.yaml', '.yml', '.json')


def read_config(path: Path) -> Config:
    """Read a config.

    Raises:
        ValueError: The file, or one that it inherits, is no config; in one line.
        OSError: One of them cannot be read.
    """
    if path.suffix not in SUFFIXES:
        raise ValueError(f'{path} is not a config: expected a name with {", ".join(SUFFIXES)}')
    chain: list[Path] = []
    try:
        with plain_yaml(), _checked_files(chain):
            read_config_text(path)  # mmengine parses a Python config before it reads its bases
            config = Config.fromfile(path)
            check_replaced(config._cfg_dict)
    except OSError:
        raise
    except RecursionError as error:
        raise ValueError(
            f'{_not_a_config(path, chain)}it is nested too deeply, or contains itself'
        ) from error
    except SystemExit as error:
        raise ValueError(f'{_not_a_config(path, chain)}it ends the program') from error
    except Exception as error:  # a Python config may raise anything
        raise ValueError(f'{_not_a_config(path, chain)}{_one_line(error)}') from error
    if not config._cfg_dict:
        raise ValueError(f'{path} is not a config: expected KEY = VALUE, got a file without any')
    return config


@contextmanager
def _checked_files(chain: list[Path]) -> Iterator[None]:
    """Check each file that mmengine reads for a config.

    Args:
        chain: Filled with the file that is being read, after those that inherit it; an error
            leaves the file in which it occurred as the last one.
    """
    read, bases_of = Config._file2dict, Config._get_base_files
    replace = Config._substitute_env_variables

    def checked_read(filename: str, *args: Any, **kwargs: Any) -> Any:
        path = Path(os.path.expanduser(filename)).absolute()
        chain.append(path)
        if path in chain[:-1]:
            names = ' → '.join(file.name for file in chain[chain.index(path) :])
            raise ValueError(f'it inherits itself: {names}')
        if path.is_file():
            text = read_config_text(path)
            if is_data(path):
                check_placeholders(text)
        result = read(filename, *args, **kwargs)
        if is_data(path):
            check_runs_nothing(result[0])
        chain.pop()
        return result

    def checked_bases(filename: str) -> Any:
        bases = bases_of(filename)
        check_bases(bases, is_data(filename))
        return bases

    Config._file2dict = staticmethod(checked_read)
    Config._get_base_files = staticmethod(checked_bases)
    Config._substitute_env_variables = staticmethod(substitute)
    own_open = vars(mmengine_config).get('open', open)  # this module's, in a config within a config
    mmengine_config.open = _open
    try:
        yield
    finally:
        mmengine_config.open = own_open
        Config._file2dict = staticmethod(read)
        Config._get_base_files = staticmethod(bases_of)
        Config._substitute_env_variables = staticmethod(replace)


def _open(path: Any, mode: str = 'r', **kwargs: Any) -> Any:
    """Open a file in place of the built-in function; a byte order mark of UTF-8 is dropped."""
    if mode == 'r' and kwargs.get('encoding') == 'utf-8':
        kwargs['encoding'] = 'utf-8-sig'
    return open(path, mode, **kwargs)


def _not_a_config(path: Path, chain: list[Path]) -> str:
    """Begin a message with the config, and the inherited file in which an error occurred."""
    inside = f'in {chain[-1]}, ' if len(chain) > 1 else ''
    return f'{path} is not a config: {inside}'


def _one_line(error: Exception) -> str:
    """Return an error's message as one line of bounded length."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    text = ' '.join(text.split()) or type(error).__name__
    known = isinstance(error, ValueError | SyntaxError | NameError | ImportError)
    text = text if known else f'{type(error).__name__}: {text}'
    return text if len(text) <= MAX_MESSAGE else f'{text[:MAX_MESSAGE]}…'
