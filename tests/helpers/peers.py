"""Build other implementations for comparison: timm, torchvision, efficientnet-pytorch, …

A peer is named by its ecosystem; timm has two families ('timm' is `tf_*`, 'timm_plain' the
others). `PADDING` has the padding of each; `bn_eps` finds the batch-norm eps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from effnet_dense.scaling import FAMILIES

B = [f'b{n}' for n in range(9)] + ['l2']
LITE = [f'lite{n}' for n in range(5)]
EDGE = ['es', 'em', 'el']
V2 = ['v2_s', 'v2_m', 'v2_l', 'v2_xl']
V2_B = [f'v2_b{n}' for n in range(4)]

# Which architectures each peer has.
ARCHS = {
    'timm': [*B, *LITE, *EDGE, *V2, *V2_B],
    'timm_plain': [*B, *LITE, *EDGE, *V2],
    'torchvision': [*B[:8], 'v2_s', 'v2_m', 'v2_l'],
    'efficientnet_pytorch': B,
    'mmdet': [*B[:9], *EDGE],
    'effdet': [*B[:8], *LITE, *EDGE, 'v2_s'],
}
PADDING = {
    'timm': 'same',
    'timm_plain': 'symmetric',
    'torchvision': 'symmetric',
    'efficientnet_pytorch': 'same',
    'mmdet': 'same',
    'effdet': 'same',
}
# The format of `export_weights` with the peer's names.
FORMAT = {'timm_plain': 'timm'} | {peer: peer for peer in ARCHS if peer != 'timm_plain'}

assert {arch for archs in ARCHS.values() for arch in archs} == set(FAMILIES)


def build_peer(peer: str, arch: str) -> nn.Module:
    """Build a peer's model in eval mode with random weights, or skip the test without it."""
    if arch not in ARCHS[peer]:
        raise ValueError(f'{peer} has no {arch}, only {ARCHS[peer]}')
    model = _BUILDERS[peer](arch)
    model.eval()  # mmdet's returns None
    return model


def build_random_peer(peer: str, arch: str) -> nn.Module:
    """`build_peer` and `randomise_`, without the peer's own initialisation, which takes seconds."""
    if peer == 'mmdet':  # its constructor reads values, which meta tensors do not have
        return randomise_(build_peer(peer, arch))
    with torch.device('meta'):
        model = build_peer(peer, arch)
    return randomise_(model.to_empty(device='cpu'))


def _timm_name(arch: str) -> str:
    return arch.replace('v2_', 'efficientnetv2_') if 'v2_' in arch else f'efficientnet_{arch}'


def _build_timm(arch: str) -> nn.Module:
    timm = pytest.importorskip('timm')
    return timm.create_model('tf_' + _timm_name(arch))


def _build_timm_plain(arch: str) -> nn.Module:
    timm = pytest.importorskip('timm')
    return timm.create_model(_timm_name(arch))


def _build_effdet(arch: str) -> nn.Module:
    """effdet's detectors hold timm's features-only model under `backbone`."""
    effdet = pytest.importorskip('effdet')
    config = effdet.get_efficientdet_config('tf_efficientdet_d0')
    config.backbone_name = 'tf_' + _timm_name(arch)
    return effdet.EfficientDet(config, pretrained_backbone=False)


def _build_torchvision(arch: str) -> nn.Module:
    from torchvision.models import get_model

    return get_model(f'efficientnet_{arch}')


def _build_efficientnet_pytorch(arch: str) -> nn.Module:
    peer = pytest.importorskip('efficientnet_pytorch')
    # Its static padding (a given image_size) crashes away from that size.
    return peer.EfficientNet.from_name(f'efficientnet-{arch}', image_size=None)


def _build_mmdet(arch: str) -> nn.Module:
    import effnet_dense  # noqa: F401 (makes mmcv's operators findable)

    backbones = pytest.importorskip('mmdet.models.backbones')
    return backbones.EfficientNet(arch, out_indices=(1, 2, 3, 4, 5, 6))


_BUILDERS = {
    'timm': _build_timm,
    'timm_plain': _build_timm_plain,
    'torchvision': _build_torchvision,
    'efficientnet_pytorch': _build_efficientnet_pytorch,
    'mmdet': _build_mmdet,
    'effdet': _build_effdet,
}


def build_effdet_detector(name: str, image_size: tuple[int, int], **overrides: Any) -> nn.Module:
    """Build effdet's detector in eval mode with random weights, for images of this (H, W) only."""
    effdet = pytest.importorskip('effdet')
    config = effdet.get_efficientdet_config(name)
    config.image_size = image_size
    for key, value in overrides.items():
        config[key] = value
    config.num_levels = config.max_level - config.min_level + 1
    return randomise_(effdet.EfficientDet(config, pretrained_backbone=False)).eval()


def effdet_twin(peer: nn.Module) -> dict[str, Any]:
    """A config of ours for the same network and anchors as a detector of effdet."""
    config = peer.config
    arch = config.backbone_name.split('efficientnet_')[1]
    same = config.pad_type == 'same'
    padding = 'same' if same else 'symmetric'
    act_cfg = dict(type='ReLU6' if config.act_type == 'relu6' else 'SiLU', inplace=True)
    common = dict(conv_bias=config.redundant_bias, act_cfg=act_cfg)
    return dict(
        type='RetinaNet',
        backbone=dict(
            type='effnet_dense.EfficientNet',
            arch=arch,
            out_indices=(3, 4, 5),
            padding=padding,
            norm_cfg=dict(type='BN', eps=1e-3 if same else 1e-5),
        ),
        neck=dict(
            type='effnet_dense.BiFPN',
            in_channels=peer.backbone.feature_info.channels(),
            out_channels=config.fpn_channels,
            num_outs=config.num_levels,
            num_cells=config.fpn_cell_repeats,
            fusion='sum' if config.fpn_name == 'bifpn_sum' else 'fast',
            padding=padding,
            **common,
        ),
        bbox_head=dict(
            type='effnet_dense.EfficientDetHead',
            num_classes=config.num_classes,
            in_channels=config.fpn_channels,
            stacked_convs=config.box_class_repeats,
            anchor_generator=dict(
                type='effnet_dense.EfficientDetAnchorGenerator',
                strides=[2**level for level in range(config.min_level, config.max_level + 1)],
                octave_base_scale=config.anchor_scale,
            ),
            **common,
        ),
        test_cfg=dict(nms_pre=5000, nms=dict(type='nms', iou_threshold=0.5), max_per_img=100),
    )


def randomise_(model: nn.Module, seed: int = 0) -> nn.Module:
    """Draw weights and statistics at which a wrong padding or eps shows, and float32 is exact.

    Norms: with variances from 0.5 a deep member's activations reach 1e10, and float32 is then far
    from float64 of the same model. Kernels: a standard deviation of 2 ÷ √fan-in makes the deepest
    features depend on the image, so that the wrong padding shows by 7e-3 or more of the largest
    feature and the wrong eps by 3e-4, while float32's own error stays below 1e-6; at 1 ÷ √fan-in
    the wrong padding is down to 1e-4, and at 3 ÷ √fan-in V2-S is chaos again.
    """
    generator = torch.Generator().manual_seed(seed)

    def uniform_(tensor: Tensor, low: float, high: float) -> None:
        tensor.uniform_(low, high, generator=generator)

    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, _BatchNorm):
                uniform_(module.weight, 0.3, 0.7)
                uniform_(module.bias, -0.2, 0.2)
                uniform_(module.running_mean, -0.2, 0.2)
                uniform_(module.running_var, 0.8, 1.6)
                module.num_batches_tracked.fill_(seed + 7)
            elif isinstance(module, nn.Conv2d | nn.Linear):
                bound = 2.0 * (3.0 / module.weight[0].numel()) ** 0.5
                uniform_(module.weight, -bound, bound)
                if module.bias is not None:
                    uniform_(module.bias, -0.2, 0.2)
            edge_weights = getattr(module, 'edge_weights', None)
            if edge_weights is not None:  # of BiFPN; below 0 counts as 0
                uniform_(edge_weights, -0.2, 1.8)
    return model


def separate_scores_(peer: nn.Module, batch: Tensor) -> None:
    """Draw predictions that differ from cell to cell, so that no order is a matter of rounding.

    A random network forgets its input unless its norms know the statistics of its features.
    """
    torch.manual_seed(0)
    nn.init.normal_(peer.class_net.predict.conv_pw.weight, std=0.3)
    nn.init.constant_(peer.class_net.predict.conv_pw.bias, -4.6)  # or scores saturate at 1
    # mmdet's coder lets a box be at most 62.5 times as wide as its anchor, effdet's has no limit.
    nn.init.normal_(peer.box_net.predict.conv_pw.weight, std=0.1)
    for module in peer.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        peer.train()(batch)
    peer.eval()


def bn_eps(model: nn.Module) -> float:
    """The eps of the first batch norm."""
    return next(module.eps for module in model.modules() if isinstance(module, _BatchNorm))


def peer_features(model: nn.Module, x: Tensor) -> list[Tensor]:
    """The last features at strides 2, 4, 8, 16 and 32: our layers 1…5, of a peer."""
    levels: list[Tensor] = []
    for features in _walk(model, x):
        if levels and levels[-1].shape[-2:] == features.shape[-2:]:
            levels.pop()
        levels.append(features)
    assert len(levels) == 5, [tuple(level.shape) for level in levels]
    return levels


def _walk(model: nn.Module, x: Tensor) -> Iterator[Tensor]:
    """The output of the stem and of each block, in order."""
    if hasattr(model, 'layers'):  # mmdet
        stages = list(model.layers)[:-1]
        yield (x := stages[0](x))
        blocks = [block for stage in stages[1:] for block in stage]
    elif hasattr(model, '_blocks'):  # efficientnet-pytorch
        yield (x := model._swish(model._bn0(model._conv_stem(x))))
        blocks = list(model._blocks)
    elif hasattr(model, 'features'):  # torchvision
        yield (x := model.features[0](x))
        blocks = [block for stage in model.features[1:-1] for block in stage]
    else:  # timm, effdet
        model = getattr(model, 'backbone', model)
        yield (x := model.bn1(model.conv_stem(x)))  # timm's norms include the activation
        blocks = [block for stage in model.blocks for block in stage]
    for block in blocks:
        yield (x := block(x))
