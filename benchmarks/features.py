"""Backbones: pictures → C3, C4, C5, the features at strides 8, 16 and 32.

Letters: N images, H × W pixels, C_i the channels at stride 2^i.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from benchmarks.contender import OURS, Contender, Peer, label
from effnet_dense.models import EfficientNet
from effnet_dense.scaling import architecture

LEVELS = 'C3–C5'


def ours(arch: str, lean: Sequence[int | None], channels_last: bool) -> list[Contender]:
    """Our backbone, with each setting of `lean`; None where nothing is trained.

    Raises:
        ValueError: The architecture is unknown.
    """
    architecture(arch)
    return [
        Contender(
            OURS,
            label(arch, level),
            partial(EfficientNet, arch, lean=level or 0),
            LEVELS,
            channels_last,
        )
        for level in lean
    ]


def _timm_name(arch: str) -> str:
    return arch.replace('v2_', 'efficientnetv2_') if 'v2_' in arch else f'efficientnet_{arch}'


def _timm_member(arch: str, prefix: str) -> str | None:
    import timm

    name = prefix + _timm_name(arch)
    return name if timm.is_model(name) else None


def _make_timm(name: str) -> nn.Module:
    import timm

    return timm.create_model(name, features_only=True, out_indices=(2, 3, 4))


def _torchvision_member(arch: str) -> str | None:
    from torchvision.models import list_models

    name = f'efficientnet_{arch}'
    return name if name in list_models() else None


def _make_torchvision(name: str) -> nn.Module:
    from torchvision.models import get_model

    return LastOfEachStride(get_model(name, stochastic_depth_prob=0.0).features[:-1])


class LastOfEachStride(nn.Module):
    """torchvision's stages, of which some share a stride."""

    def __init__(self, stages: nn.Sequential) -> None:
        super().__init__()
        self.stages = stages

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, 3, H, W) → (N, C_i, ⌈H ÷ 2^i⌉, ⌈W ÷ 2^i⌉) for i = 3, 4, 5."""
        levels: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            if levels and levels[-1].shape[-2:] == x.shape[-2:]:
                levels.pop()
            levels.append(x)
        return levels[-3:]


def _efficientnet_pytorch_member(arch: str) -> str | None:
    from efficientnet_pytorch.model import VALID_MODELS

    name = f'efficientnet-{arch}'
    return name if name in VALID_MODELS else None


def _make_efficientnet_pytorch(name: str) -> nn.Module:
    from efficientnet_pytorch import EfficientNet as Peer

    # Its static padding (a given image_size) crashes away from that size.
    model = Peer.from_name(name, image_size=None, drop_connect_rate=0.0)
    model._fc = nn.Identity()
    return Endpoints(model)


class Endpoints(nn.Module):
    """efficientnet-pytorch's extract_endpoints, which computes the 1×1 head as well."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, 3, H, W) → C3, C4, C5."""
        endpoints = self.model.extract_endpoints(x)
        return [endpoints[f'reduction_{level}'] for level in (3, 4, 5)]


def _mmdet_member(arch: str) -> str | None:
    from mmdet.models.backbones import EfficientNet as Peer

    # Its EdgeTPU variants have their strides elsewhere.
    return arch if arch.startswith('b') and arch in Peer.arch_settings else None


def _make_mmdet(arch: str) -> nn.Module:
    from mmdet.models.backbones import EfficientNet as Peer

    return Peer(arch, out_indices=(3, 4, 5))


def _smp_member(arch: str) -> str | None:
    from segmentation_models_pytorch.encoders import encoders

    names = (f'efficientnet-{arch}', f'timm-tf_efficientnet_{arch}', f'timm-efficientnet-{arch}')
    return next((name for name in names if name in encoders), None)


def _make_smp(name: str) -> nn.Module:
    from segmentation_models_pytorch.encoders import get_encoder

    encoder = get_encoder(name, weights=None)
    encoder._drop_connect_rate = 0.0
    return LastThree(encoder)


class LastThree(nn.Module):
    """An encoder of segmentation-models-pytorch without its finer features."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, 3, H, W) → C3, C4, C5."""
        return self.encoder(x)[-3:]


def _no_backbone_of_its_own(arch: str) -> str | None:
    import effdet  # noqa: F401

    return None


def _make_nothing(name: str) -> nn.Module:
    raise ValueError(f'there is no {name}')


PEERS = [
    Peer('timm', 'timm', partial(_timm_member, prefix='tf_'), _make_timm, LEVELS),
    Peer('timm-plain', 'timm', partial(_timm_member, prefix=''), _make_timm, LEVELS),
    Peer('torchvision', 'torchvision', _torchvision_member, _make_torchvision, LEVELS),
    Peer(
        'efficientnet-pytorch',
        'efficientnet_pytorch',
        _efficientnet_pytorch_member,
        _make_efficientnet_pytorch,
        f'{LEVELS}; runs the 1×1 head too',
    ),
    Peer('mmdet', 'mmdet', _mmdet_member, _make_mmdet, LEVELS, as_shipped=True),
    Peer('smp', 'segmentation_models_pytorch', _smp_member, _make_smp, LEVELS),
    Peer('effdet', 'effdet', _no_backbone_of_its_own, _make_nothing, '', "backbone but timm's for"),
]
