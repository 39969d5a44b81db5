"""Dilation in the place of strides: timm's features and gradients, and all that a backbone does."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from effnet_dense.deployment import deploy
from effnet_dense.hub import create_classifier
from effnet_dense.models import EfficientNet
from effnet_dense.weights import export_weights, load_weights, name_table
from tests.helpers import peers
from tests.helpers.tiers import slow_except

EVERY = tuple(range(6))
TINY = dict(base='b0', width=0.25, depth=0.6)
# timm's name → ours, and the padding; a fused family among them, and one that has no shortcut
# where it does not expand.
MEMBERS = {
    'tf_efficientnet_b0': ('b0', 'same'),
    'efficientnet_b0': ('b0', 'symmetric'),
    'tf_efficientnetv2_s': ('v2_s', 'same'),
    'efficientnet_es': ('es', 'symmetric'),
}

members = pytest.mark.parametrize('name', MEMBERS)
output_strides = pytest.mark.parametrize('output_stride', [8, 16])


def image(*size: int, batch: int = 1, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 3, *size, generator=generator, dtype=dtype)


def pair(name: str, output_stride: int) -> tuple[nn.Module, EfficientNet]:
    """timm's model and ours, with the same randomised weights and statistics."""
    timm = pytest.importorskip('timm')
    arch, padding = MEMBERS[name]
    theirs = peers.randomise_(timm.create_model(name, output_stride=output_stride))
    norm_cfg = dict(type='BN', eps=peers.bn_eps(theirs))
    ours = EfficientNet(arch, EVERY, padding, norm_cfg=norm_cfg, output_stride=output_stride)
    assert not load_weights(ours, theirs.state_dict()).missing
    return theirs, ours


def timms_layers(model: nn.Module, rows: list[int], x: Tensor) -> list[Tensor]:
    """The stem's output, and that of the last stage of each layer of `rows` stages."""
    features = [model.bn1(model.conv_stem(x))]
    stages = iter(model.blocks)
    for count in rows:
        x = features[-1]
        for stage in itertools.islice(stages, count):
            x = stage(x)
        features.append(x)
    assert next(stages, None) is None
    return features


def rows_of(model: EfficientNet) -> list[int]:
    return [len(rows) for rows in model.architecture.layers()]


def relative(a: Tensor, b: Tensor) -> float:
    assert a.shape == b.shape
    return ((a - b).abs().max() / b.abs().max()).item()


@pytest.mark.slow
@members
@output_strides
@torch.no_grad()
def test_features_equal_timms(name: str, output_stride: int) -> None:
    theirs, ours = pair(name, output_stride)
    for model in (theirs, ours):
        model.eval()
    for size in ((96, 128), (97, 115)):
        x = image(*size)
        mine, expected = ours(x), timms_layers(theirs, rows_of(ours), x)
        assert max(relative(a, b) for a, b in zip(mine, expected, strict=True)) <= 1e-5
        for feature, stride in zip(mine, ours.out_strides, strict=True):
            assert feature.shape[-2:] == tuple(-(-side // stride) for side in size)


@pytest.mark.slow
@pytest.mark.parametrize(
    'name', slow_except(MEMBERS, *(name for name in MEMBERS if 'v2' not in name))
)
def test_gradients_equal_timms(name: str) -> None:
    """Training mode and float64, where batch statistics are part of the gradient."""
    theirs, ours = (model.double().train() for model in pair(name, 16))
    x = image(65, 97, batch=2, dtype=torch.float64)
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    mine, expected = ours(a), timms_layers(theirs, rows_of(ours), b)
    seed = torch.Generator().manual_seed(1)
    cotangents = [torch.randn(level.shape, generator=seed, dtype=torch.float64) for level in mine]
    torch.autograd.backward(mine, cotangents)
    torch.autograd.backward(expected, cotangents)

    assert relative(a.grad, b.grad) <= 1e-8
    names = name_table(ours.architecture, 'timm')
    gradients = {key: p.grad for key, p in theirs.named_parameters() if p.grad is not None}
    noise = 1e-6 * max(gradient.abs().max() for gradient in gradients.values())
    own = dict(ours.named_parameters())
    assert len(own) == len(gradients)
    for key, parameter in own.items():
        theirs_gradient = gradients[names[f'backbone.{key}']]
        scale = max(theirs_gradient.abs().max(), noise)
        assert (parameter.grad - theirs_gradient).abs().max() <= 1e-8 * scale, key


@pytest.mark.parametrize(
    ('output_stride', 'strides', 'dilations'),
    [
        # B0: 5×5 into layer 4 and 5, where the first block still sees the finer grid undilated.
        (32, (2, 2, 4, 8, 16, 32, 32), {4: [1] * 6, 5: [1] * 5}),
        (16, (2, 2, 4, 8, 16, 16, 16), {4: [1] * 6, 5: [1, 2, 2, 2, 2]}),
        (8, (2, 2, 4, 8, 8, 8, 8), {4: [1, 2, 2, 2, 2, 2], 5: [2, 4, 4, 4, 4]}),
    ],
)
def test_strides_and_dilations(
    output_stride: int, strides: tuple[int, ...], dilations: dict[int, list[int]]
) -> None:
    model = EfficientNet('b0', range(7), output_stride=output_stride)
    assert model.out_strides == strides
    for layer, expected in dilations.items():
        convs = [block.depthwise_conv.conv for block in model.layers[layer]]
        assert [conv.dilation for conv in convs] == [(d, d) for d in expected]
    for conv in (m for m in model.layers[:4].modules() if isinstance(m, nn.Conv2d)):
        assert conv.dilation == (1, 1)


def test_a_feature_is_the_coarse_one_where_both_have_a_value() -> None:
    """Dilated by d a network computes the strided one's values at each d-th cell, and in between.

    With symmetric padding the windows of both are centred on the same cells, and padded zeros
    cover the same cells beyond the border; squeeze-and-excitation, which averages, is left out.
    """
    models = [
        peers.randomise_(EfficientNet('lite0', (3, 4, 5), 'symmetric', output_stride=stride)).eval()
        for stride in (32, 16, 8)
    ]
    with torch.no_grad():
        coarse, *others = (model(image(128, 160)) for model in models)
    for fine, steps in zip(others, ((1, 1, 2), (1, 2, 4)), strict=True):
        for a, b, step in zip(fine, coarse, steps, strict=True):
            torch.testing.assert_close(a[..., ::step, ::step], b)


@output_strides
def test_lean_and_checkpointed_training_give_the_plain_gradients(output_stride: int) -> None:
    modes = [dict(lean=0), dict(lean=1), dict(lean=2), dict(lean=0, with_cp=True)]
    results = []
    for options in modes:
        torch.manual_seed(0)
        model = EfficientNet(TINY, output_stride=output_stride, **options).train()
        sum(x.square().mean() for x in model(image(65, 96, batch=2))).backward()
        gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
        results.append({**gradients, **dict(model.named_buffers())})
    plain, *others = results
    for other in others:
        assert all(torch.equal(other[name], tensor) for name, tensor in plain.items())


@output_strides
@pytest.mark.parametrize(
    ('arch', 'padding'), [(TINY, 'same'), (TINY, 'symmetric'), (dict(base='es', width=0.5), 'same')]
)
def test_deployed(arch: dict[str, Any], padding: str, output_stride: int) -> None:
    model = EfficientNet(arch, padding=padding, output_stride=output_stride)
    peers.randomise_(model).eval()
    deployed = deploy(model)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in deployed.modules())
    assert deployed.out_strides == model.out_strides
    with torch.no_grad():
        for size in ((64, 96), (65, 79)):
            for a, b in zip(deployed(image(*size)), model(image(*size)), strict=True):
                assert relative(a, b) <= 1e-5


def test_deploy_pads_by_what_a_dilated_strided_convolution_reaches() -> None:
    """No member of the family has both, but `conv2d` builds it."""
    model = peers.randomise_(EfficientNet('b0', (2,))).eval()
    block = model.layers[2][0]
    block.depthwise_conv.conv.dilation = (2, 2)
    for size in ((40, 56), (41, 57)):
        x = torch.randn(1, 16, *size, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            expected, found = block(x), deploy(copy.deepcopy(block))(x)
        assert expected.shape[-2:] == tuple(-(-side // 2) for side in size)
        assert relative(found, expected) <= 1e-5


def test_weights_come_and_go_as_without() -> None:
    plain = peers.randomise_(create_classifier('b0', num_classes=5))
    exported = export_weights(plain, 'timm')
    dilated = EfficientNet('b0', range(7), output_stride=8)
    load_weights(dilated, exported)
    expected = plain.backbone.state_dict()
    assert dilated.state_dict().keys() == expected.keys()
    assert all(torch.equal(dilated.state_dict()[key], expected[key]) for key in expected)
    back = export_weights(dilated, 'timm')
    assert all(torch.equal(tensor, exported[key]) for key, tensor in back.items())


@pytest.mark.parametrize('output_stride', [4, 24, 64, '16', None])
def test_other_strides_are_refused(output_stride: Any) -> None:
    with pytest.raises(ValueError, match=r'output_stride must be one of \(8, 16, 32\), got'):
        EfficientNet('b0', output_stride=output_stride)
