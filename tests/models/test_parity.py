"""The same weights give the same features, gradients and counts as every other implementation."""

from __future__ import annotations

from unittest.mock import patch

import pytest
import torch
from torch import Tensor, nn

from effnet_dense.hub import create_classifier
from effnet_dense.models import EfficientNet
from effnet_dense.scaling import FAMILIES
from effnet_dense.weights import load_weights, name_table
from tests.helpers import peers
from tests.helpers.peer_names import check_names
from tests.helpers.tiers import slow_except

# Even at each stride, odd at each, and oblong. Mistakes show as much in a small one, which large
# members take: its height is even at each stride, its width odd at all but the last.
SIZES = ((224, 224), (225, 225), (257, 321))
SMALL_SIZES = ((64, 97),)

# In the fast tier: each peer's smallest member of a family, and torchvision's of another eps.
SMALL = ('b0', 'lite0', 'v2_b0')
MEMBERS = [
    *[('timm', arch) for arch in (*SMALL, 'es')],
    *[('timm_plain', arch) for arch in ('b0', 'lite0', 'es')],
    *[('torchvision', 'b0'), ('efficientnet_pytorch', 'b0'), ('mmdet', 'b0')],
    *[('effdet', arch) for arch in ('b0', 'lite0', 'es')],
]
# mmdet's EdgeTPU is no peer: its fused block has the stride in the 1×1 convolution, and its 'el'
# has other shapes. L2, of 480 million parameters, is compared once.
PAIRS = [
    (peer, arch)
    for peer, archs in peers.ARCHS.items()
    for arch in archs
    if not (peer == 'mmdet' and arch in peers.EDGE) and (arch != 'l2' or peer == 'timm')
]

# efficientnet.md's table of the papers' and peers' figures, in millions; V2-L is timm's and
# torchvision's 118.5 (its table says 119.5).
MILLIONS = {
    **{'b0': 5.289, 'b1': 7.794, 'b2': 9.110, 'b3': 12.233, 'b4': 19.342, 'b5': 30.390},
    **{'b6': 43.041, 'b7': 66.348, 'b8': 87.413, 'l2': 480.31},
    **{'lite0': 4.652, 'lite1': 5.417, 'lite2': 6.092, 'lite3': 8.20, 'lite4': 13.0},
    **{'es': 5.44, 'em': 6.90, 'el': 10.59},
    **{'v2_s': 21.5, 'v2_m': 54.1, 'v2_l': 118.5, 'v2_xl': 208.1},
    **{'v2_b0': 7.1, 'v2_b1': 8.1, 'v2_b2': 10.1, 'v2_b3': 14.4},
}


def relative(a: Tensor, b: Tensor) -> float:
    """max |a − b| / max |b|."""
    assert a.shape == b.shape
    return ((a - b).abs().max() / b.abs().max()).item()


def image(*size: int, batch: int = 1, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(batch, 3, *size, generator=torch.Generator().manual_seed(0), dtype=dtype)


def ours_with_weights_of(peer: nn.Module, name: str, arch: str) -> EfficientNet:
    norm_cfg = dict(type='BN', eps=peers.bn_eps(peer))
    # All of it is loaded; large members' random weights take seconds.
    undrawn = patch.object(Tensor, 'normal_', lambda tensor, *_, **__: tensor)
    with torch.device('meta'), undrawn:
        backbone = EfficientNet(
            arch, out_indices=(1, 2, 3, 4, 5), padding=peers.PADDING[name], norm_cfg=norm_cfg
        )
    backbone.to_empty(device='cpu')
    report = load_weights(backbone, peer.state_dict())
    assert report.format == peers.FORMAT[name]
    assert not report.missing
    return backbone.eval()


@pytest.mark.parametrize(('name', 'arch'), slow_except(PAIRS, *MEMBERS))
@torch.no_grad()
def test_features_equal_the_peers(name: str, arch: str) -> None:
    """And every tensor has a counterpart."""
    peer = peers.build_random_peer(name, arch)
    check_names(peer, name, arch)
    ours = ours_with_weights_of(peer, name, arch)
    for size in SIZES if (name, arch) in MEMBERS else SMALL_SIZES:
        x = image(*size)
        errors = [
            relative(a, b) for a, b in zip(ours(x), peers.peer_features(peer, x), strict=True)
        ]
        assert max(errors) <= 1e-5, f'{size}: {errors}'


@pytest.mark.parametrize(
    ('name', 'arch'),
    [
        *[('timm', arch) for arch in ('b0', 'lite0', 'es', 'v2_b0')],
        *[('torchvision', 'b0'), ('torchvision', 'v2_s'), ('efficientnet_pytorch', 'b0')],
    ],
)
@torch.no_grad()
def test_logits_equal_the_peers(name: str, arch: str) -> None:
    peer = peers.build_random_peer(name, arch)
    norm_cfg = dict(type='BN', eps=peers.bn_eps(peer))
    padding = peers.PADDING[name]
    ours = create_classifier(arch, peer.state_dict(), padding=padding, norm_cfg=norm_cfg)
    x = image(225, 193, batch=2)
    assert relative(ours(x), peer(x)) <= 1e-5


@torch.no_grad()
def test_the_wrong_family_would_show() -> None:
    """What the comparisons above would miss otherwise: the tolerance is far below a mistake."""
    peer = peers.build_random_peer('timm', 'b0')
    x = image(224, 224)
    expected = peers.peer_features(peer, x)
    for wrong in (dict(padding='symmetric'), dict(norm_cfg=dict(type='BN', eps=1e-5))):
        ours = EfficientNet('b0', out_indices=(1, 2, 3, 4, 5), **wrong).eval()
        load_weights(ours, peer.state_dict())
        assert min(relative(a, b) for a, b in zip(ours(x), expected, strict=True)) > 1e-4, wrong


@pytest.mark.parametrize('arch', slow_except(['b0', 'lite0', 'es', 'v2_s'], 'b0', 'lite0', 'es'))
def test_gradients_equal_timms(arch: str) -> None:
    """Training mode and float64, where batch statistics are part of the gradient."""
    peer = peers.build_random_peer('timm', arch).double().train()
    ours = EfficientNet(arch, out_indices=(1, 2, 3, 4, 5)).double()
    load_weights(ours, peer.state_dict())
    ours.train()

    x = image(75, 97, batch=2, dtype=torch.float64)
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    seed = torch.Generator().manual_seed(1)
    mine, theirs = ours(a), peers.peer_features(peer, b)
    cotangents = [torch.randn(level.shape, generator=seed, dtype=torch.float64) for level in mine]
    torch.autograd.backward(mine, cotangents)
    torch.autograd.backward(theirs, cotangents)

    assert relative(a.grad, b.grad) <= 1e-8
    names = name_table(ours.architecture, 'timm')
    peers_gradients = {key: p.grad for key, p in peer.named_parameters() if p.grad is not None}
    # A BN bias that the next BN takes away again has gradient 0: its noise is no difference.
    noise = 1e-6 * max(gradient.abs().max() for gradient in peers_gradients.values())
    compared = 0
    for key, parameter in ours.named_parameters():
        expected = peers_gradients[names[f'backbone.{key}']]
        scale = max(expected.abs().max(), noise)
        assert (parameter.grad - expected).abs().max() <= 1e-8 * scale, key
        compared += 1
    # All but timm's conv_head and bn2 (3) and classifier (2), which the features do not use.
    assert compared == len(list(peer.parameters())) - 5


@pytest.mark.parametrize('arch', slow_except(FAMILIES, *SMALL))
def test_parameter_counts(arch: str) -> None:
    with torch.device('meta'):
        ours, timms = create_classifier(arch), peers.build_peer('timm', arch)
    count = sum(parameter.numel() for parameter in ours.parameters())
    assert count == sum(parameter.numel() for parameter in timms.parameters())
    decimals = len(str(MILLIONS[arch]).split('.')[1])
    assert round(count / 1e6, decimals) == MILLIONS[arch]
