"""List the names that configs may give as `type`: what the installed libraries have registered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec

import mmengine.registry as root
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import Registry

# Types that are looked up elsewhere: mmcv's operators, and kinds of mmdet's FPG.
ELSEWHERE = {
    'DeformRoIPoolPack',
    'ModulatedDeformRoIPoolPack',
    'PrRoIPool',
    'RoIAlign',
    'RoIAlignRotated',
    'RoIPool',
    'SimpleRoIAlign',
    'conv',
    'interpolation_conv',
    'last_conv',
    'nms',
    'nms_match',
    'nms_rotated',
    'soft_nms',
}


def registries() -> Iterator[Registry]:
    """Yield every registry of the installed libraries of OpenMMLab, with its modules imported."""
    for scope in {*MODULE2PACKAGE, 'effnet_dense'}:
        if find_spec(scope) is not None:
            with suppress(ImportError):
                import_module(f'{scope}.registry')
    waiting = [registry for registry in vars(root).values() if isinstance(registry, Registry)]
    while waiting:
        registry = waiting.pop()
        with suppress(ImportError):  # of an optional dependency
            registry.import_from_location()
        yield registry
        waiting += registry.children.values()


def registered_names() -> tuple[set[str], set[str]]:
    """Return the registered names, as 'X' and as 'scope.X', and the scopes."""
    names, scopes = set(ELSEWHERE), set()
    for registry in registries():
        scopes.add(registry.scope)
        for name in registry.module_dict:
            names |= {name, f'{registry.scope}.{name}'}
    return names, scopes


def registered_paths() -> dict[str, str]:
    """Return the dotted paths of the registered classes and functions, each with its name."""
    return {
        f'{value.__module__}.{value.__qualname__}': f'{registry.scope}.{name}'
        for registry in registries()
        for name, value in registry.module_dict.items()
        if hasattr(value, '__qualname__')
    }


def albumentations_names() -> set[str]:
    """Return the transforms that pipelines may name inside of `Albu`; none without the library."""
    try:
        import albumentations
    except ImportError:
        return set()
    return {name for name, value in vars(albumentations).items() if isinstance(value, type)}
