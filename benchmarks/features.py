"""Compare backbones: images → C3, C4, C5, the features at strides 8, 16 and 32.

Shapes: N images, H × W pixels, C_i channels at stride 2^i.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from benchmarks.implementation import OURS, Implementation, Peer, own_label
from effnet_dense.models import EfficientNet
from effnet_dense.scaling import architecture

RETURNS = 'C3–C5'


def ours(arch: str, lean: Sequence[int | None], channels_last: bool) -> list[Implementation]:
    """Return our backbone at each lean level; None for inference.

    Raises:
        ValueError: The architecture is unknown.
    """
    architecture(arch)
    return [
        Implementation(
            OURS,
            own_label(arch, level),
            partial(EfficientNet, arch, lean=level or 0),
            RETURNS,
            channels_last,
        )
        for level in lean
    ]


def _find_timm(arch: str, prefix: str) -> str | None:
    import timm

    is_v2 = 'v2_' in arch
    name = arch.replace('v2_', 'efficientnetv2_') if is_v2 else f'efficientnet_{arch}'
    return prefix + name if timm.is_model(prefix + name) else None


def _make_timm(name: str) -> nn.Module:
    import timm

    return timm.create_model(name, features_only=True, out_indices=(2, 3, 4))


def _find_torchvision(arch: str) -> str | None:
    from torchvision.models import list_models

    name = f'efficientnet_{arch}'
    return name if name in list_models() else None


def _make_torchvision(name: str) -> nn.Module:
    from torchvision.models import get_model

    return LastOfEachStride(get_model(name, stochastic_depth_prob=0.0).features[:-1])


class LastOfEachStride(nn.Module):
    """Return C3–C5 of torchvision's stages, several of which share a stride."""

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


def _find_efficientnet_pytorch(arch: str) -> str | None:
    from efficientnet_pytorch.model import VALID_MODELS

    name = f'efficientnet-{arch}'
    return name if name in VALID_MODELS else None


def _make_efficientnet_pytorch(name: str) -> nn.Module:
    from efficientnet_pytorch import EfficientNet as TheirEfficientNet

    # With a fixed image_size, its static padding fails at any other size.
    model = TheirEfficientNet.from_name(name, image_size=None, drop_connect_rate=0.0)
    model._fc = nn.Identity()
    return Endpoints(model)


class Endpoints(nn.Module):
    """Return C3–C5 of efficientnet-pytorch's extract_endpoints, which runs the 1×1 head too."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, 3, H, W) → C3, C4, C5."""
        endpoints = self.model.extract_endpoints(x)
        return [endpoints[f'reduction_{level}'] for level in (3, 4, 5)]


def _find_mmdet(arch: str) -> str | None:
    from mmdet.models.backbones import EfficientNet as TheirEfficientNet

    # Its EdgeTPU variants have their strides in other stages.
    return arch if arch.startswith('b') and arch in TheirEfficientNet.arch_settings else None


def _make_mmdet(arch: str) -> nn.Module:
    from mmdet.models.backbones import EfficientNet as TheirEfficientNet

    return TheirEfficientNet(arch, out_indices=(3, 4, 5))


def _find_smp(arch: str) -> str | None:
    from segmentation_models_pytorch.encoders import encoders

    names = (f'efficientnet-{arch}', f'timm-tf_efficientnet_{arch}', f'timm-efficientnet-{arch}')
    return next((name for name in names if name in encoders), None)


def _make_smp(name: str) -> nn.Module:
    from segmentation_models_pytorch.encoders import get_encoder

    encoder = get_encoder(name, weights=None)
    encoder._drop_connect_rate = 0.0
    return LastThree(encoder)


class LastThree(nn.Module):
    """Return C3–C5 of an encoder of segmentation-models-pytorch."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, 3, H, W) → C3, C4, C5."""
        return self.encoder(x)[-3:]


def _find_effdet(arch: str) -> str | None:
    import effdet  # noqa: F401

    return None  # its backbones are timm's


def _make_effdet(name: str) -> nn.Module:
    raise ValueError(f'effdet has no backbone {name}')


PEERS = [
    Peer('timm', 'timm', partial(_find_timm, prefix='tf_'), _make_timm, RETURNS),
    Peer('timm-plain', 'timm', partial(_find_timm, prefix=''), _make_timm, RETURNS),
    Peer('torchvision', 'torchvision', _find_torchvision, _make_torchvision, RETURNS),
    Peer(
        'efficientnet-pytorch',
        'efficientnet_pytorch',
        _find_efficientnet_pytorch,
        _make_efficientnet_pytorch,
        f'{RETURNS}; runs the 1×1 head too',
    ),
    Peer('mmdet', 'mmdet', _find_mmdet, _make_mmdet, RETURNS, also_nchw=True),
    Peer('smp', 'segmentation_models_pytorch', _find_smp, _make_smp, RETURNS),
    Peer('effdet', 'effdet', _find_effdet, _make_effdet, '', "backbone but timm's for"),
]
