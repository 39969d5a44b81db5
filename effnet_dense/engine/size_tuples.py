"""Make tuples of the sizes and colours that a config's transforms accept as tuples only.

YAML and JSON have no tuples, and on a command line `scale=[512,512]` is as natural as
`scale=(512,512)`.
"""

from __future__ import annotations

from typing import Any

from mmengine.config import Config

SIZES = ('crop_size', 'img_scale', 'scale', 'scales', 'size')
COLOURS = 'pad_val'
"""Key of a value per channel; or of a dict of them, such as `img=(114, 114, 114)` of `Pad`."""


def use_size_tuples(config: Config) -> None:
    """Convert lists of two numbers, and those within lists, under the keys of `SIZES`.

    Two numbers under 'scales' stay a list: they are two sizes of the shorter side. Numbers under
    `COLOURS` become tuples of any length.
    """
    _walk(config._cfg_dict)


def _walk(node: Any) -> None:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in SIZES and isinstance(value, list):
                node[key] = _converted(value, alone=key != 'scales')
            elif key == COLOURS and isinstance(value, list | dict):
                node[key] = _colours(value)
            else:
                _walk(value)
    elif isinstance(node, list | tuple):
        for child in node:
            _walk(child)


def _converted(value: list[Any], alone: bool) -> Any:
    """Convert a pair, or the pairs in a list of them."""
    if alone and _is_pair(value):
        return tuple(value)
    if value and all(_is_pair(item) for item in value):
        return [tuple(item) for item in value]
    return value


def _colours(value: Any) -> Any:
    """Convert a colour, or each of a dict."""
    if isinstance(value, dict):
        return type(value)({key: _colours(item) for key, item in value.items()})
    return tuple(value) if _are_numbers(value) else value


def _is_pair(value: Any) -> bool:
    return _are_numbers(value) and len(value) == 2


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(type(v) in (int, float) for v in value)
