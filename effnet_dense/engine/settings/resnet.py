"""What a ResNet's config means for the backbone that replaces it."""

from __future__ import annotations

from typing import Any

from effnet_dense.data.config_walk import type_name

RESNETS = ('ResNet', 'ResNetV1c', 'ResNetV1d', 'ResNeXt', 'Res2Net', 'ResNeSt')
"""Backbones with four stages of strides 4 to 32, and the same channels."""

STRIDES = {
    ((1, 2, 2, 2), (1, 1, 1, 1)): 32,
    ((1, 2, 2, 1), (1, 1, 1, 2)): 16,
    ((1, 2, 1, 1), (1, 1, 2, 4)): 8,
}
"""Strides and dilations of the stages → largest stride."""


def is_resnet(backbone: Any) -> bool:
    """Whether a backbone has the stages of a ResNet."""
    return type_name(backbone) in RESNETS


def check_resnet(owner: Any, name: str) -> None:
    """Check that nothing in a model needs a ResNet.

    Args:
        owner: The model.
        name: The network that is to replace its backbone.

    Raises:
        ValueError: Names the part, and what to choose.
    """
    backbone = owner.backbone
    flag = f'--backbone {name} cannot replace this {type_name(backbone)}'
    stages = backbone.get('num_stages', 4)
    if owner.get('roi_head') and not owner.get('neck') and stages == 4:
        raise ValueError(
            f"{flag}: the model has no neck, so that roi_head takes the backbone's channels (DC5); "
            'choose the config with an FPN'
        )
    if (owner.get('roi_head') or {}).get('shared_head') is not None or stages != 4:
        raise ValueError(
            f'{flag}: the model has {stages} stages and may use the last one as roi_head.'
            'shared_head (C4 or C5 models); choose the config with an FPN'
        )
    for key, what in (('dcn', 'deformable convolutions'), ('plugins', 'plugins')):
        if backbone.get(key):
            raise ValueError(
                f"{flag}: its stages have {what} ({key}), which belong to ResNet's blocks; choose "
                f'the config without them, or write model.backbone without {key}'
            )
    strides = (tuple(backbone.get(key, default)) for key, default in _DEFAULTS)
    layout = tuple(strides)
    if layout not in STRIDES:
        raise ValueError(
            f'{flag}: its strides and dilations are {layout[0]} and {layout[1]}; expected those '
            f'of output stride 8, 16 or 32: {", ".join(str(pair) for pair in STRIDES)}'
        )


_DEFAULTS = (('strides', (1, 2, 2, 2)), ('dilations', (1, 1, 1, 1)))


def resnet_features(backbone: Any) -> tuple[list[int], dict[str, Any]]:
    """Return a ResNet's channels, and the arguments of an EfficientNet with the same strides.

    Stage i of a ResNet has stride 2^(i+2), layer i + 2 of an EfficientNet the same. Its stem and
    first stage, up to stride 4, are the stem and layers 1 and 2.
    """
    expansion = 1 if backbone.get('depth') in (18, 34) else 4
    indices = tuple(backbone.get('out_indices', (0, 1, 2, 3)))
    channels = [backbone.get('base_channels', 64) * expansion * 2**index for index in indices]
    layout = tuple(tuple(backbone.get(key, default)) for key, default in _DEFAULTS)
    arguments: dict[str, Any] = dict(out_indices=tuple(index + 2 for index in indices))
    stride = STRIDES[layout]  # type: ignore[index]  # checked by `check_resnet`
    if stride != 32:
        arguments['output_stride'] = stride
    frozen = backbone.get('frozen_stages', -1)
    arguments['frozen_stages'] = 0 if frozen < 0 else 1 if frozen == 0 else frozen + 2
    return channels, arguments
