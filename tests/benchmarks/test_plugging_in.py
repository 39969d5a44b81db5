"""The parts of `benchmarks.plugging_in` that choose features and tell who reads them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmengine.config import ConfigDict

import effnet_dense
from benchmarks.plugging_in import matching_layers, offline, readers, set_channels

WIDTHS = [256, 512, 1024, 2048]
OURS = [24, 40, 112, 320]


@pytest.mark.parametrize(
    ('strides', 'expected'),
    [
        ([4, 8, 16, 32], ([2, 3, 4, 5], 32)),
        ([8, 16, 32], ([3, 4, 5], 32)),
        ([32], ([5], 32)),
        ([4, 8, 8, 8], ([2, 3, 4, 5], 8)),
        ([4, 8, 16, 16], ([2, 3, 4, 5], 16)),
        ([16], ([5], 16)),
        ([2, 4, 8], ([1, 2, 5], 8)),
    ],
)
def test_layers(strides: list[int], expected: tuple[list[int], int]) -> None:
    layers, stride = matching_layers(strides)
    assert (layers, stride) == expected
    network = effnet_dense.EfficientNet('b0', out_indices=layers, output_stride=stride)
    with torch.no_grad():
        found = network.eval()(torch.zeros(1, 3, 64, 64))
    assert [64 // feature.shape[-1] for feature in found] == strides


@pytest.mark.parametrize('strides', [[16, 16, 16, 16], [8, 4, 2, 1], [4, 8, 16, 64]])
def test_last_layers_where_no_others_fit(strides: list[int]) -> None:
    assert matching_layers(strides) == ([2, 3, 4, 5], 32)


@pytest.mark.parametrize(
    ('reader', 'expected'),
    [
        (dict(in_channels=WIDTHS), dict(in_channels=OURS)),
        (dict(in_channels=(512, 1024)), dict(in_channels=(40, 112))),
        (dict(in_channels=WIDTHS[::-1]), dict(in_channels=OURS[::-1])),
        (dict(in_channels=2048, in_index=3), dict(in_channels=320, in_index=3)),
        (dict(in_channels=1024, c1_in_channels=256), dict(in_channels=112, c1_in_channels=24)),
        (
            dict(in_channels=2048, channels=2048, num_convs=0),
            dict(in_channels=320, channels=320, num_convs=0),
        ),
        (dict(in_channels=7, channels=512), dict(in_channels=7, channels=512)),
        (dict(head=[dict(in_channels=1024)]), dict(head=[dict(in_channels=112)])),
        (
            dict(kernel_update_head=[dict(in_channels=512)]),
            dict(kernel_update_head=[dict(in_channels=512)]),
        ),
    ],
)
def test_channels(reader: dict[str, Any], expected: dict[str, Any]) -> None:
    node = ConfigDict(reader)
    set_channels(node, WIDTHS, OURS)
    assert node == expected
    assert type(node.get('in_channels')) is type(expected.get('in_channels'))


def test_readers() -> None:
    heads = dict(decode_head=dict(type='A'), auxiliary_head=dict(type='B'))
    for neck, expected in (
        (None, ['A', 'B']),
        (dict(type='FPN'), ['FPN']),
        ([dict(type='FPN'), dict(type='BFP')], ['FPN']),
        (dict(type='JPU'), ['JPU', 'B']),
    ):
        model = ConfigDict(backbone=dict(), neck=neck, **heads)
        assert [reader.type for reader in readers(model)] == expected


def test_offline() -> None:
    source = dict(type='Pretrained', checkpoint='https://example.org/a.pth')
    model = ConfigDict(pretrained='x', teacher_ckpt='y', backbone=dict(init_cfg=source))
    offline(model)
    assert model == dict(pretrained=None, teacher_ckpt=None, backbone=dict(init_cfg=None))
