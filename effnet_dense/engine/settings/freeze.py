"""`--freeze`: layers of the backbone that keep their weights and statistics."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from effnet_dense.data.config_walk import type_name
from effnet_dense.engine.settings.model_parts import backbone_owner, is_efficientnet

STAGES = {
    'ResNet': 4,
    'ResNetV1c': 4,
    'ResNetV1d': 4,
    'ResNeXt': 4,
    'RegNet': 4,
    'Res2Net': 4,
    'ResNeSt': 4,
    'TridentResNet': 4,
    'SwinTransformer': 4,
    'CSPDarknet': 4,
    'CSPNeXt': 4,
}
"""Backbones whose `frozen_stages` counts stages after the stem: -1 none, 0 the stem."""


def set_freeze(config: Config, count: int) -> None:
    """Freeze the first layers of the backbone, and the statistics of all its norms.

    Args:
        config: Changed in place.
        count: Number of layers, of which the stem is the first; 0 freezes none.

    Raises:
        ValueError: The backbone has fewer layers, or cannot be frozen in part.
    """
    backbone = backbone_owner(config, f'--freeze {count}').backbone
    name = type_name(backbone)
    largest, first = _layers(backbone)
    if largest is None:
        raise ValueError(
            f'--freeze {count}: {name} has no frozen_stages; it works for EfficientNet, '
            f'{", ".join(STAGES)}. Write a learning rate of 0 for its layers: optim_wrapper.'
            "paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0)})"
        )
    if count > largest:
        raise ValueError(
            f'--freeze {count}: this {name} has {largest} layers with the stem; expected a number '
            f'from 0 to {largest}'
        )
    if count and not (backbone.get('init_cfg') or _loaded(config)):
        raise ValueError(
            f'--freeze {count}: the backbone starts from random weights, which would stay: name '
            'some with --weights or --from'
        )
    backbone.frozen_stages = count + first
    if count and 'norm_eval' in _NORM_EVAL.get(name, ('norm_eval',)):
        backbone.norm_eval = True
    print_log(
        f'--freeze: {count} of the backbone’s {largest} layers are frozen'
        + (', and the statistics of all its norms' if count else '')
    )


_NORM_EVAL: dict[str, tuple[str, ...]] = {'SwinTransformer': ()}
"""Backbones without batch norms."""


def _layers(backbone: Any) -> tuple[int | None, int]:
    """Return the number of layers, the stem included, and `frozen_stages` of none of them."""
    if is_efficientnet(backbone):
        return max(backbone.get('out_indices', (3, 4, 5))) + 1, 0
    stages = STAGES.get(type_name(backbone))
    if stages is None:
        return None, 0
    stages = backbone.get('num_stages', len(backbone.get('depths', ())) or stages)
    return stages + 1, -1


def _loaded(config: Config) -> bool:
    """Whether a complete model's weights are loaded."""
    model: Any = config.get('model') or {}
    return bool(config.get('load_from') or model.get('init_cfg') or model.get('pretrained'))
