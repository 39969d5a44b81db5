"""Check that a config normalises images as its pretrained weights require."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from effnet_dense.weights.sources import SourceInfo, source_info

# One grey level of 255: Google's Lite uses 127 and 128 for 127.5.
_TOLERANCE = 1.0

RGB = 3
"""Channels for which weights are published."""


def check_normalisation(cfg: Mapping[str, Any]) -> None:
    """Compare each named weight source of a config with its data preprocessor, before training.

    Checks `load_from` and every `init_cfg` of the model and its modules, at any depth. Sources of
    unknown normalisation (files, most URLs) pass.

    Args:
        cfg: A complete mmengine config.

    Raises:
        ValueError: mean, std or the order of channels differ; the message contains both values.
    """
    model = cfg.get('model')
    if not isinstance(model, Mapping):
        return
    default = model.get('data_preprocessor') or cfg.get('data_preprocessor')
    for source, preprocessor in _pretrained(model, default, cfg.get('load_from')):
        info = source_info(source)
        if info is not None:
            _compare(source, info, preprocessor)


def _pretrained(
    model: Mapping[str, Any], default: Any, load_from: str | None
) -> Iterator[tuple[str, Any]]:
    """Yield each weight source with the data preprocessor of the model that contains it."""
    if load_from:
        yield load_from, default
    pending = [(model, default)]
    while pending:
        part, preprocessor = pending.pop()
        adapted = part.get('in_channels', RGB) != RGB  # bands with their own mean and std
        for init_cfg in [] if adapted else _as_list(part.get('init_cfg')):
            if str(init_cfg.get('type')).endswith('Pretrained') and init_cfg.get('checkpoint'):
                yield init_cfg['checkpoint'], preprocessor
        for name, value in part.items():
            if isinstance(value, Mapping) and name not in ('init_cfg', 'data_preprocessor'):
                pending.append((value, value.get('data_preprocessor', preprocessor)))


def _as_list(value: Any) -> list[Mapping[str, Any]]:
    values = value if isinstance(value, Sequence) else [value]
    return [item for item in values if isinstance(item, Mapping)]


def _compare(source: str, info: SourceInfo, preprocessor: Any) -> None:
    given = preprocessor if isinstance(preprocessor, Mapping) else {}
    while 'mean' not in given and isinstance(given.get('data_preprocessor'), Mapping):
        given = given['data_preprocessor']  # mmdet's multi-branch preprocessor wraps one
    expected = {'mean': list(info.mean), 'std': list(info.std), 'bgr_to_rgb': True}
    for name, values in expected.items():
        received = given.get(name)
        if not _agree(values, received):
            raise ValueError(
                f'the weights of {source} were trained with {name}={values} (images as RGB, '
                f'0–255), but model.data_preprocessor has {name}={received}: write '
                f'mean={expected["mean"]}, std={expected["std"]}, bgr_to_rgb=True'
            )


def _agree(expected: Any, received: Any) -> bool:
    if isinstance(expected, bool):
        return bool(received) is expected
    if not isinstance(received, Sequence) or len(received) != len(expected):
        return False
    return all(abs(a - b) <= _TOLERANCE for a, b in zip(expected, received, strict=True))
