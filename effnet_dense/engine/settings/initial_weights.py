"""`--weights`: what the backbone starts from, with the normalisation that belongs to it."""

from __future__ import annotations

import os
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log

from effnet_dense.engine.settings.model_parts import (
    backbone_owner,
    is_efficientnet,
    is_ours,
    preprocessors,
    replace_load_from,
)
from effnet_dense.utils.urls import public_name
from effnet_dense.weights.sources import SourceInfo, source_info

NONE = 'none'
RGB = 3
BATCH_NORMS = ('BN', 'SyncBN', 'BN2d')


def set_initial_weights(config: Config, source: str) -> None:
    """Start the backbone from a source, or from random weights.

    Args:
        config: Changed in place: the backbone's `init_cfg`; for named sources of an EfficientNet
            also its padding and eps, and mean and std of the images; for random weights all norms
            and layers are trained.
        source: Any source of `load_weights`, or 'none'.

    Raises:
        ValueError: The model has no backbone, or there is no such named source.
        FileNotFoundError: No such file.
    """
    owner = backbone_owner(config, '--weights')
    dropped = replace_load_from(config, '--weights')
    if 'pretrained' in owner:
        owner.pretrained = None
    if source.lower() == NONE:
        _start_randomly(owner.backbone)
        print_log(f'--weights none: the backbone starts from random weights{dropped}')
        return
    if '://' not in source and not os.path.isfile(os.path.expanduser(source)):
        raise FileNotFoundError(
            f"--weights: no file {source!r}; expected a file, 'none', or a source such as "
            'timm://tf_efficientnet_b0.aa_in1k'
        )
    use_source(config, owner.backbone, source)
    print_log(f'--weights: the backbone starts from {public_name(source)}{dropped}')


def use_source(config: Config, backbone: Any, source: str) -> None:
    """Write a source into a backbone's config, and what its weights require.

    Raises:
        ValueError, ImportError: See `source_info`.
    """
    backbone.init_cfg = ConfigDict(type='Pretrained', checkpoint=source)
    info = source_info(source) if is_efficientnet(backbone) else None
    if info is None:
        return
    set_family(backbone, info)
    if backbone.get('in_channels', RGB) == RGB:  # other bands have their own mean and std
        set_normalisation(config, info)


def set_family(backbone: Any, info: SourceInfo) -> None:
    """Build an EfficientNet with the padding and eps that weights require.

    mmdet's own has TensorFlow's padding unless its convolutions are PyTorch's.
    """
    if not is_ours(backbone):
        if info.padding != 'same':
            backbone.conv_cfg = ConfigDict(type='Conv2d')
    elif backbone.get('conv_cfg') is None or info.padding != 'same':
        backbone.pop('conv_cfg', None)
        backbone.padding = info.padding
    norm: Any = backbone.get('norm_cfg') or dict(type='BN', requires_grad=True)
    if str(norm['type']).rpartition('.')[2] in BATCH_NORMS:
        backbone.norm_cfg = ConfigDict({**norm, 'eps': info.bn_eps})


def set_normalisation(config: Config, info: SourceInfo) -> None:
    """Normalise images as weights require it."""
    for preprocessor in preprocessors(config):
        preprocessor['mean'], preprocessor['std'] = list(info.mean), list(info.std)
        preprocessor['bgr_to_rgb'] = True
        preprocessor.pop('rgb_to_bgr', None)


def _start_randomly(backbone: Any) -> None:
    """Train all layers and all norms: fixed ones would keep random weights."""
    backbone.init_cfg = None
    if 'norm_eval' in backbone or is_efficientnet(backbone):
        backbone.norm_eval = False
    if backbone.get('frozen_stages') is not None:
        backbone.frozen_stages = 0 if is_efficientnet(backbone) else -1
    if (backbone.get('norm_cfg') or {}).get('requires_grad') is False:
        backbone.norm_cfg.requires_grad = True
