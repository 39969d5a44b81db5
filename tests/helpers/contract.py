"""Describe what users rely on: names, constructor defaults, checkpoint keys, configs, flags.

`tests/reference/contract.json` holds the description of a reference revision;
`tests/test_contract.py` compares it with the checkout. To write it for another checkout:

PYTHONPATH=CHECKOUT python -P tests/helpers/contract.py CHECKOUT > tests/reference/contract.json
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import inspect
import json
import pkgutil
import runpy
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, OPTIM_WRAPPERS, Registry, init_default_scope
from torch import nn

PACKAGE = 'effnet_dense'


def describe(repository: Path) -> dict[str, Any]:
    """Describe the public surface of the checkout whose package Python imports.

    Returns:
        public: names in `effnet_dense.__all__`.
        types: registry → type name → constructor parameter → repr of its default.
        state_dicts: architecture or config → top-level module → digest of keys, shapes, types.
        configs: config → section → digests of its flattened keys and of its values.
        commands: script → flag → repr of its default.
    """
    files = sorted((repository / 'configs').glob('*.py'))
    configs = {file.stem: Config.fromfile(file) for file in files}
    types = registered_types()
    return dict(
        public=sorted(importlib.import_module(PACKAGE).__all__),
        types=types,
        state_dicts={**backbones(), **{name: model_of(cfg) for name, cfg in configs.items()}},
        configs={name: sections(config) for name, config in configs.items()},
        commands=commands(repository),
    )


def digest(lines: Iterable[str]) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the sorted lines."""
    return hashlib.sha256('\n'.join(sorted(lines)).encode()).hexdigest()[:16]


def registered_types() -> dict[str, dict[str, dict[str, str]]]:
    """Every type in the package's registries, after importing all of its modules."""
    package = importlib.import_module(PACKAGE)
    for module in pkgutil.walk_packages(package.__path__, f'{PACKAGE}.'):
        if not module.name.endswith('__main__'):
            importlib.import_module(module.name)
    registries = vars(importlib.import_module(f'{PACKAGE}.registry'))
    found = {
        name: {key: parameters(kind) for key, kind in sorted(registry.module_dict.items())}
        for name, registry in registries.items()
        if isinstance(registry, Registry)
    }
    # mmengine builds optimizer wrappers from its root registry.
    found['mmengine.OPTIM_WRAPPERS'] = {
        key: parameters(kind)
        for key, kind in sorted(OPTIM_WRAPPERS.module_dict.items())
        if kind.__module__.startswith(PACKAGE)
    }
    return found


def parameters(kind: Any) -> dict[str, str]:
    """Constructor parameter → repr of its default; parents' too where **kwargs reaches them."""
    if inspect.isfunction(kind):
        return {name: default_of(p) for name, p in inspect.signature(kind).parameters.items()}
    found: dict[str, str] = {}
    for owner in kind.__mro__:
        if '__init__' not in vars(owner) or owner is object:
            continue
        own = list(inspect.signature(owner.__init__).parameters.values())[1:]
        for parameter in own:
            if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                found.setdefault(parameter.name, default_of(parameter))
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in own):
            break
    return found


def default_of(parameter: inspect.Parameter) -> str:
    """The repr of a default, 'required' where there is none."""
    return 'required' if parameter.default is parameter.empty else repr(parameter.default)


def backbones() -> dict[str, dict[str, str]]:
    """Every published architecture with the default outputs."""
    from effnet_dense import EfficientNet
    from effnet_dense.scaling import FAMILIES

    with torch.device('meta'), uninitialised():
        return {f'EfficientNet {arch}': layout(EfficientNet(arch)) for arch in FAMILIES}


def model_of(config: Config) -> dict[str, str]:
    """A config's detector or segmentor; nothing is downloaded, weights are uninitialised memory.

    Anchor generators compute with real tensors, which rules out the meta device.
    """
    init_default_scope(config.default_scope)
    with uninitialised():
        return layout(MODELS.build(config.model))


def uninitialised() -> AbstractContextManager[Any]:
    """Spare the random numbers, which take more time than all the rest of a model."""
    names = ('kaiming_uniform_', 'uniform_', 'normal_', 'kaiming_normal_', 'trunc_normal_')
    return patch.multiple(nn.init, **dict.fromkeys(names, unchanged))


def unchanged(tensor: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
    """Initialise nothing."""
    return tensor


def layout(model: nn.Module) -> dict[str, str]:
    """Top-level module → digest of its state dict's keys, shapes and types."""
    lines: dict[str, list[str]] = {}
    for key, tensor in model.state_dict().items():
        line = f'{key} {tuple(tensor.shape)} {tensor.dtype}'
        lines.setdefault(key.partition('.')[0], []).append(line)
    return {name: digest(lines[name]) for name in sorted(lines)}


def sections(config: Config) -> dict[str, str]:
    """Top-level key of a config → digest of its flattened keys, digest of the lines key=value."""
    flat: dict[str, dict[str, Any]] = {}
    for key, value in flatten(config.to_dict()):
        flat.setdefault(key.partition('.')[0], {})[key] = value
    return {
        name: f'{digest(leaves)} {digest(f"{key}={value!r}" for key, value in leaves.items())}'
        for name, leaves in sorted(flat.items())
    }


def flatten(value: Any, key: str = '') -> Iterator[tuple[str, Any]]:
    """The leaves of nested dictionaries and sequences; an empty one is a leaf."""
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    if not items or not value:
        yield key, value
        return
    for name, item in items:
        yield from flatten(item, f'{key}.{name}' if key else str(name))


def commands(repository: Path) -> dict[str, dict[str, str]]:
    """Script of tools/ (and benchmarks/ as 'benchmark') → its flags and their defaults."""
    scripts = {path.stem: flags(path) for path in sorted((repository / 'tools').glob('*.py'))}
    if (repository / 'benchmarks').is_dir():
        scripts['benchmark'] = flags(repository / 'benchmarks' / '__main__.py')
    return scripts


class _Parsing(BaseException):
    """Carries a script's parser out of the script; no `except Exception` stops it."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser


def flags(script: Path) -> dict[str, str]:
    """Run a script until it parses its command line; its parser's flags → repr of the default."""

    def stop(parser: argparse.ArgumentParser, args: Any = None, *_: Any) -> None:
        raise _Parsing(selected(parser, list(sys.argv[1:] if args is None else args)))

    stopped = patch.multiple(argparse.ArgumentParser, parse_args=stop, parse_known_args=stop)
    with stopped, patch.object(sys, 'argv', [str(script)]):
        try:
            runpy.run_path(str(script), run_name='__main__')
        except _Parsing as parsing:
            return dict(options(parsing.parser))
    raise ValueError(f'{script} does not parse its command line')


def selected(parser: argparse.ArgumentParser, words: list[str]) -> argparse.ArgumentParser:
    """The parser of the subcommand that the words begin with."""
    commands = subcommands(parser)
    if words and words[0] in commands:
        return selected(commands[words[0]], words[1:])
    return parser


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Name → parser of each subcommand."""
    found = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return {name: child for action in found for name, child in action.choices.items()}


def options(parser: argparse.ArgumentParser, path: str = '') -> Iterator[tuple[str, str]]:
    """Each flag, or name of a positional argument, with the repr of its default."""
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            for name in action.option_strings or [action.dest]:
                yield f'{path}{name}', repr(action.default)
    for name, child in subcommands(parser).items():
        yield from options(child, f'{path}{name} ')


if __name__ == '__main__':
    with redirect_stdout(sys.stderr):
        description = describe(Path(sys.argv[1]))
    print(json.dumps(description, indent=1, ensure_ascii=False))
