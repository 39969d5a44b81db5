"""Set up loaders and preprocessor for a backbone whose `in_channels` is not three."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from effnet_dense.data.config_walk import type_name
from effnet_dense.models.data_preprocessor import MMSEG_TAKES_BANDS

RGB = 3
LOADER = 'LoadImageFromFile'
STATISTICS = ('mean', 'std')


def input_channels(config: Mapping[str, Any] | Config) -> int:
    """Return the number of channels that the config's EfficientNet takes; 3 for other backbones."""
    backbone = (config.get('model') or {}).get('backbone')
    if not isinstance(backbone, Mapping) or type_name(backbone) != 'EfficientNet':
        return RGB
    return backbone.get('in_channels', RGB)


def set_input_channels(config: Config) -> None:
    """Write the backbone's `in_channels` into the config's loaders and data preprocessor.

    A mean and std of RGB are repeated for further channels, and averaged for one, as the first
    convolution's weights are; those of the config's own length stay.

    Args:
        config: Changed in place; not at all for three channels.

    Raises:
        ValueError: A loader or the preprocessor is for another number of channels.
    """
    set_loader_channels(config)
    channels = input_channels(config)
    if channels == RGB or type(channels) is not int:
        return
    for owner in (config, config.model):
        preprocessor = owner.get('data_preprocessor')
        if isinstance(preprocessor, Mapping):
            _set_preprocessor(preprocessor, channels)


def set_loader_channels(config: Config) -> None:
    """Write the backbone's `in_channels` into the config's loaders (see `set_input_channels`)."""
    channels = input_channels(config)
    for key, step in list(_steps('', config)):
        if step.get('channels', channels) != channels:
            raise ValueError(
                f'{key}.channels is {step["channels"]}, but model.backbone.in_channels is '
                f'{channels}: write the same number'
            )
        if channels != RGB:
            step['type'] = f'effnet_dense.{LOADER}'
            step['channels'] = channels


def _set_preprocessor(preprocessor: Any, channels: int) -> None:
    """Give a preprocessor a mean and std for each channel."""
    for name in STATISTICS:
        values = preprocessor.get(name)
        if values is None or len(values) == channels:
            continue
        if len(values) != RGB:
            raise ValueError(
                f'model.data_preprocessor.{name} has {len(values)} values, expected one for each '
                f'of the {channels} channels of model.backbone.in_channels, or RGB’s three'
            )
        adapted = [sum(values) / RGB] if channels == 1 else [*values] * channels
        preprocessor[name] = adapted[:channels]
        print_log(
            f'model.data_preprocessor.{name} of RGB becomes {preprocessor[name]} for {channels} '
            'channels: write your own if the bands have other values',
            logger='current',
        )
    preprocessor.update(dict.fromkeys({'bgr_to_rgb', 'rgb_to_bgr'} & {*preprocessor}, False))
    kind = type_name(preprocessor)
    if kind == 'DetDataPreprocessor' or (kind == 'SegDataPreProcessor' and not MMSEG_TAKES_BANDS):
        preprocessor['type'] = f'effnet_dense.{kind}'


def _steps(key: str, node: Any) -> Iterator[tuple[str, Any]]:
    """Yield the steps that load images, with their keys."""
    if isinstance(node, list | tuple):
        for index, child in enumerate(node):
            yield from _steps(f'{key}.{index}', child)
    elif isinstance(node, Mapping | Config):
        if isinstance(node, Mapping) and type_name(node) == LOADER:
            yield key.removeprefix('.'), node
        for name, child in node.items():
            yield from _steps(f'{key}.{name}', child)
