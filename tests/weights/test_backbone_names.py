"""The table of names compared with the peers' own state dicts."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from effnet_dense.models import EfficientNet
from effnet_dense.scaling import architecture
from effnet_dense.weights.backbone_names import FORMATS, layer_of, name_table
from tests.helpers import peers
from tests.helpers.peer_names import check_names

# The others are compared in tests/models/test_parity.py, beside their features.
PEERS = [
    *[(peer, 'l2') for peer in peers.ARCHS if 'l2' in peers.ARCHS[peer] and peer != 'timm'],
    *[('mmdet', arch) for arch in ('es', 'em')],  # its 'el' has 120 hidden channels for 128
]


@pytest.mark.slow
@pytest.mark.parametrize(('peer', 'arch'), PEERS)
def test_every_tensor_of_every_peer_has_a_counterpart(peer: str, arch: str) -> None:
    # mmdet's constructor reads values of tensors, which meta tensors do not have.
    with nullcontext() if peer == 'mmdet' else torch.device('meta'):
        check_names(peers.build_peer(peer, arch), peer, arch)


@pytest.mark.parametrize('format', FORMATS)
def test_no_two_tensors_share_a_name(format: str) -> None:
    table = name_table(architecture('b4'), format)
    assert len(set(table.values())) == len(table)


def test_some_names_by_hand() -> None:
    """Expansion 1 shifts timm's and torchvision's numbers; mmdet merges stages of one stride."""
    ours = 'backbone.layers.{}.weight'
    tables = {format: name_table(architecture('b0'), format) for format in FORMATS}
    depthwise = ours.format('1.0.depthwise_conv.conv')
    assert tables['timm'][depthwise] == 'blocks.0.0.conv_dw.weight'
    assert tables['torchvision'][depthwise] == 'features.1.0.block.0.0.weight'
    assert tables['efficientnet_pytorch'][depthwise] == '_blocks.0._depthwise_conv.weight'
    # B0: 3 blocks of row 3 and 3 of row 4 have stride 16, so row 4 block 1 is layers.4.4.
    project = ours.format('4.4.linear_conv.bn')
    assert tables['timm'][project] == 'blocks.4.1.bn3.weight'
    assert tables['torchvision'][project] == 'features.5.1.block.3.1.weight'
    assert tables['efficientnet_pytorch'][project] == '_blocks.9._bn2.weight'
    assert tables['mmdet'][project] == tables['mmpretrain'][project] == project
    assert tables['effdet'][project] == 'backbone.blocks.4.1.bn3.weight'
    assert tables['torchvision']['head.fc.bias'] == 'classifier.1.bias'
    assert 'head.fc.bias' not in tables['effdet']


def test_mmpretrain_has_a_layer_per_row_in_v2() -> None:
    """mmpretrain `efficientnet_v2.py`: a plain ConvModule, FusedMBConv, MBConv; the head last."""
    table = name_table(architecture('v2_s'), 'mmpretrain')
    assert table['backbone.layers.1.1.conv1.conv.weight'] == 'backbone.layers.1.1.conv.weight'
    assert table['backbone.layers.2.0.conv2.bn.bias'] == 'backbone.layers.2.0.conv2.bn.bias'
    # Rows 3 (6 blocks) and 4 (9 blocks) share stride 16.
    key = 'backbone.layers.4.6.expand_conv.conv.weight'
    assert table[key] == 'backbone.layers.5.0.expand_conv.conv.weight'
    assert table['backbone.layers.6.conv.weight'] == 'backbone.layers.7.conv.weight'
    assert table['head.fc.weight'] == 'head.fc.weight'


@pytest.mark.parametrize(
    ('key', 'format', 'layer'),
    [
        ('conv_stem.bias', 'timm', 0),
        ('blocks.0.1.conv_dw.weight', 'timm', 1),  # B0 has one block in this row
        ('blocks.4.3.bn1.bias', 'timm', 4),
        ('blocks.7.0.conv_dw.weight', 'timm', 5),  # B0 has no eighth row
        ('bn2.what', 'timm', 6),
        ('classifier.weight', 'timm', None),
        ('_blocks.16._bn1.weight', 'efficientnet_pytorch', 5),
        ('_blocks.0._expand_conv.weight', 'efficientnet_pytorch', 1),
        ('features.4.3.block.0.0.weight', 'torchvision', 4),
        ('features.8.0.bias', 'torchvision', 6),
        ('backbone.layers.2.2.linear_conv.conv.weight', 'mmdet', 2),
        ('neck.lateral_convs.0.conv.weight', 'mmdet', None),
        ('fpn.resample.3.conv.conv.weight', 'effdet', None),
    ],
)
def test_layer_of_unknown_keys(key: str, format: str, layer: int | None) -> None:
    assert layer_of(key, architecture('b0'), format) == layer


@pytest.mark.parametrize(
    ('arch', 'format'),
    [
        ('lite0', 'torchvision'),
        ('es', 'torchvision'),
        ('es', 'efficientnet_pytorch'),
        ('v2_s', 'efficientnet_pytorch'),
    ],
)
def test_networks_missing_in_an_ecosystem(arch: str, format: str) -> None:
    with pytest.raises(ValueError, match=f"{format} has no network like '{arch}'"):
        name_table(architecture(arch), format)


def test_unknown_format() -> None:
    with pytest.raises(ValueError, match=r"format must be one of .*'timm'.*, got 'keras'"):
        name_table(architecture('b0'), 'keras')


@pytest.mark.parametrize('arch', [dict(phi=0.5), dict(base='b0', width=0.5, depth=0.7)])
def test_unpublished_networks(arch: dict[str, float]) -> None:
    with torch.device('meta'):
        keys = EfficientNet(arch, out_indices=(6,)).state_dict()
    table = name_table(architecture(arch), 'timm')
    assert {f'backbone.{key}' for key in keys} == {k for k in table if k.startswith('backbone.')}
