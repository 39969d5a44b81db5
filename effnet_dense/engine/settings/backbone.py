"""`--backbone`: another EfficientNet, also in place of a ResNet of mmdet's and mmseg's configs."""

from __future__ import annotations

import difflib
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log

from effnet_dense.data.config_walk import type_name
from effnet_dense.engine.settings.feature_channels import set_feature_channels
from effnet_dense.engine.settings.initial_weights import NONE, use_source
from effnet_dense.engine.settings.model_parts import (
    backbone_owner,
    is_efficientnet,
    replace_load_from,
)
from effnet_dense.engine.settings.resnet import check_resnet, is_resnet, resnet_features
from effnet_dense.scaling import FAMILIES, architecture
from effnet_dense.weights.zoo import IMAGENET_WEIGHTS

DROP_PATH = 0.2
"""Of the published networks; google/automl's smallest detector has none."""
SMALLEST = ('b0', 'lite0', 'es', 'v2_b0')


def set_backbone(config: Config, name: str, weights: str | None = None) -> None:
    """Replace the backbone by another EfficientNet, with ImageNet weights and what they require.

    Padding, eps, mean and std follow the weights, the channels of neck or heads the architecture.

    Args:
        config: Changed in place.
        name: One of `effnet_dense.scaling.FAMILIES`, such as 'b3', 'lite2' or 'v2_s'.
        weights: What `--weights` names; by default the architecture's ImageNet weights.

    Raises:
        ValueError: No such network, or the config's backbone cannot be replaced by it.
        ImportError: The weights need timm, which is not installed.
    """
    _check_name(name)
    owner = backbone_owner(config, f'--backbone {name}')
    before = owner.backbone
    if is_efficientnet(before):
        arch = before.get('arch', 'b0')
        indices = before.get('out_indices', (3, 4, 5))
        old = [architecture(arch).channels()[index] for index in indices]
        owner.backbone = _with_arch(before, arch, name)
    elif is_resnet(before):
        check_resnet(owner, name)
        old, arguments = resnet_features(before)
        owner.backbone = _efficientnet(before, name, arguments)
    else:
        raise ValueError(
            f'--backbone {name} replaces EfficientNets and ResNets, but this config has a '
            f'{type_name(before) or "backbone without a type"}: choose the config of its detector '
            'with a ResNet'
        )
    channels = architecture(name).channels()
    new = [channels[index] for index in owner.backbone.get('out_indices', (3, 4, 5))]
    set_feature_channels(owner, old, new, f'--backbone {name}')
    dropped = replace_load_from(config, '--backbone')
    if 'pretrained' in owner:
        owner.pretrained = None
    source = IMAGENET_WEIGHTS[name]
    if weights is None:
        use_source(config, owner.backbone, source)
    _import_package(config)
    start = source if weights is None else ('random weights' if weights == NONE else weights)
    print_log(f'--backbone: {name} with {new} channels, from {start}{dropped}')


def _check_name(name: str) -> None:
    if name not in FAMILIES:
        plain = name.lower().replace('efficientnet', '').strip('-_').replace('-', '_')
        near = difflib.get_close_matches(plain, FAMILIES, n=3, cutoff=0.4) or FAMILIES
        raise ValueError(f'--backbone: no network {name!r}; the nearest: {", ".join(near)}')


def _with_arch(before: Any, arch: Any, name: str) -> Any:
    """Return an EfficientNet's config with another architecture, whose activation is its own."""
    after = ConfigDict({k: v for k, v in before.items() if k not in ('act_cfg', 'init_cfg')})
    after.type = 'effnet_dense.EfficientNet'
    after.arch = name
    if isinstance(arch, str) and after.get('drop_path_rate', 0.0) == _drop_path(arch):
        after.drop_path_rate = _drop_path(name)
    return after


def _efficientnet(resnet: Any, name: str, arguments: dict[str, Any]) -> Any:
    """Return the config of an EfficientNet with the options of a ResNet that it has, too."""
    norm = str((resnet.get('norm_cfg') or {}).get('type', 'BN'))
    return ConfigDict(
        type='effnet_dense.EfficientNet',
        arch=name,
        padding='same',
        drop_path_rate=_drop_path(name),
        norm_cfg=dict(
            type=norm if norm in ('BN', 'SyncBN') else 'BN',
            requires_grad=True,
            eps=1e-3,
            momentum=0.01,
        ),
        norm_eval=bool(resnet.get('norm_eval', True)),
        with_cp=bool(resnet.get('with_cp', False)),
        **arguments,
    )


def _drop_path(arch: str) -> float:
    """Return the rate of stochastic depth: the smallest network of a family has none."""
    return 0.0 if arch in SMALLEST else DROP_PATH


def _import_package(config: Config) -> None:
    """Register this package also where mmdet's or mmseg's own scripts read the saved config."""
    imports: Any = config.get('custom_imports') or dict(imports=[], allow_failed_imports=False)
    names = [imports['imports']] if isinstance(imports['imports'], str) else [*imports['imports']]
    if 'effnet_dense' not in names:
        config.custom_imports = dict(imports, imports=['effnet_dense', *names])
