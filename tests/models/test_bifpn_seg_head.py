"""BiFPN's segmentation head: a slow reference on ramps, gradients, and mmseg's conventions."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from effnet_dense import lean as lean_training
from effnet_dense.deployment import deploy
from effnet_dense.models import BiFPN, BiFPNSegHead

CLASSES = 3
IGNORE = 255


@pytest.fixture(autouse=True)
def _scope() -> None:
    init_default_scope('mmseg')


def head(**options: Any) -> BiFPNSegHead:
    options = {'num_convs': 2, 'dropout_ratio': 0.0, **options}
    return BiFPNSegHead(4, 6, num_classes=CLASSES, **options)


def ramp_(module: nn.Module) -> nn.Module:
    """Every tensor an ascending ramp from −0.5 to 0.5; variances from 0.5 to 1.5."""
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            ramp = torch.linspace(-0.5, 0.5, tensor.numel(), dtype=tensor.dtype)
            tensor.copy_(ramp.view_as(tensor) + ('running_var' in name))
    return module


def levels(*sizes: tuple[int, int], dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 4, *size, generator=generator, dtype=dtype) for size in sizes]


def reference_forward(module: BiFPNSegHead, x: Tensor) -> Tensor:
    """A row of pixels after the other: 3×3 windows, sums over channels, norm, SiLU, prediction."""
    for conv in module.convs:
        _, channels, height, width = x.shape
        padded = F.pad(x, (1, 1, 1, 1))
        depthwise = torch.zeros_like(x)
        for c in range(channels):
            kernel = conv.depthwise.weight[c, 0]
            for row in range(height):
                for column in range(width):
                    window = padded[:, c, row : row + 3, column : column + 3]
                    depthwise[:, c, row, column] = (window * kernel).sum((1, 2))
        x = torch.einsum('nchw,oc->nohw', depthwise, conv.pointwise.weight[:, :, 0, 0])
        if conv.bn.training:
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
        else:
            mean, var = conv.bn.running_mean, conv.bn.running_var
        mean, var, weight, bias = (
            t[:, None, None] for t in (mean, var, conv.bn.weight, conv.bn.bias)
        )
        x = (x - mean) / torch.sqrt(var + 1e-3) * weight + bias
        x = x / (1 + torch.exp(-x))
    prediction = torch.einsum('nchw,oc->nohw', x, module.conv_seg.weight[:, :, 0, 0])
    return prediction + module.conv_seg.bias[:, None, None]


@pytest.mark.parametrize('mode', [True, False], ids=['training', 'evaluation'])
@pytest.mark.parametrize('lean', [0, 1, 2])
def test_forward_and_gradients_equal_a_slow_reference(mode: bool, lean: int) -> None:
    module = ramp_(head(lean=lean).double()).train(mode)
    slow = copy.deepcopy(module)
    found = {}
    for name, forward in (('ours', module), ('slow', lambda x: reference_forward(slow, x[0]))):
        inputs = [x.requires_grad_() for x in levels((5, 4), (3, 2))]
        out = forward(inputs)
        (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        parameters = (module if name == 'ours' else slow).named_parameters()
        found[name] = {'out': out, 'input': inputs[0].grad} | {k: p.grad for k, p in parameters}
        assert inputs[1].grad is None, 'the coarser level is not read'
    for key, value in found['slow'].items():
        # Behind a norm in training some gradients are zero but for rounding: an absolute limit.
        torch.testing.assert_close(found['ours'][key], value, rtol=1e-9, atol=1e-12, msg=key)


def test_literal_output() -> None:
    """One pixel, one class: 2 · 3 through both convolutions, a norm by √(var + 1e-3), SiLU."""
    module = BiFPNSegHead(
        1, 1, num_classes=1, num_convs=1, threshold=0.3, out_channels=1, dropout_ratio=0.0
    ).eval()
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            tensor.fill_(1.0 if name.endswith('weight') else 0.0)
    module.convs[0].depthwise.weight.data[0, 0, 1, 1] = 2.0
    module.convs[0].pointwise.weight.data.fill_(3.0)
    module.convs[0].bn.running_var.fill_(4.0 - 1e-3)
    module.conv_seg.bias.data.fill_(0.5)
    out = module([torch.ones(1, 1, 1, 1)])
    # 1 · 2 · 3 ÷ √4 = 3; 3 · σ(3) = 2.857722; + 0.5.
    assert out.item() == pytest.approx(3.357722, abs=1e-5)


def test_gradcheck() -> None:
    module = ramp_(head(num_convs=1).double()).eval()
    inputs = [x.requires_grad_() for x in levels((3, 2))]
    assert torch.autograd.gradcheck(lambda x: module([x]), inputs)


@pytest.mark.parametrize('lean', [1, 2])
def test_lean_is_plain_to_the_bit(lean: int) -> None:
    plain = ramp_(head())
    results = []
    for level in (0, lean):
        module = copy.deepcopy(plain).train()
        lean_training.apply(module, level)
        inputs = levels((8, 6), dtype=torch.float32)
        inputs[0].requires_grad_()
        module(inputs).square().sum().backward()
        results.append([inputs[0].grad, *(p.grad for p in module.parameters()), *module.buffers()])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def samples(labels: Tensor) -> list[SegDataSample]:
    return [SegDataSample(gt_sem_seg=PixelData(data=label[None])) for label in labels]


def test_loss_by_hand() -> None:
    """Logits of zero: ln 3 at every pixel, whatever the size; ignored pixels do not count."""
    module = head(loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True))
    nn.init.zeros_(module.conv_seg.weight)
    nn.init.zeros_(module.conv_seg.bias)
    labels = torch.zeros(2, 20, 16, dtype=torch.long)
    labels[:, :10] = IGNORE
    losses = module.loss(levels((5, 4), dtype=torch.float32), samples(labels), {})
    assert losses['loss_ce'].item() == pytest.approx(1.098612, abs=1e-6)
    # All classes tie and the first wins: right wherever a label counts.
    assert losses['acc_seg'].item() == pytest.approx(100)


def test_lists_of_losses_and_a_sampler() -> None:
    module = head(
        loss_decode=[
            dict(type='CrossEntropyLoss', loss_name='loss_ce'),
            dict(type='effnet_dense.JaccardLoss'),
        ],
        sampler=dict(type='OHEMPixelSampler', thresh=0.7, min_kept=10),
    )
    labels = torch.randint(CLASSES, (2, 20, 16))
    losses = module.loss(levels((5, 4), dtype=torch.float32), samples(labels), {})
    assert set(losses) == {'loss_ce', 'loss_jaccard', 'acc_seg'}
    (losses['loss_ce'] + losses['loss_jaccard']).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


def segmentor(**heads: Any) -> nn.Module:
    """EfficientNet-Lite0, BiFPN over P2–P7, and heads on it."""
    return MODELS.build(
        ConfigDict(
            type='EncoderDecoder',
            data_preprocessor=dict(type='SegDataPreProcessor', size=(64, 96)),
            backbone=dict(type='effnet_dense.EfficientNet', arch='lite0', out_indices=(2, 3, 4, 5)),
            neck=dict(
                type='effnet_dense.BiFPN',
                in_channels=[24, 40, 112, 320],
                out_channels=16,
                num_outs=6,
                num_cells=1,
            ),
            train_cfg=dict(),
            test_cfg=dict(mode='whole'),
            **heads,
        )
    )


HEAD = dict(type='effnet_dense.BiFPNSegHead', in_channels=16, channels=8, num_classes=CLASSES)


def test_in_a_segmentor_with_an_auxiliary_head() -> None:
    model = segmentor(decode_head=HEAD, auxiliary_head=dict(HEAD, in_index=2, num_convs=1))
    model.init_weights()
    assert isinstance(model.neck, BiFPN)
    inputs = torch.randn(2, 3, 64, 96)
    labels = torch.randint(CLASSES, (2, 64, 96))
    losses = model(inputs, samples(labels), mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert {'decode.loss_ce', 'aux.loss_ce'} <= set(losses)
    heads = [*model.decode_head.parameters(), *model.auxiliary_head.parameters()]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in heads)
    features = model.extract_feat(inputs)
    assert len(features) == 6
    assert model.decode_head(features).shape == (2, CLASSES, 16, 24)
    assert model.auxiliary_head(features).shape == (2, CLASSES, 4, 6)
    model.eval()
    (prediction, _) = model(inputs, None, mode='predict')
    assert prediction.pred_sem_seg.data.shape == (1, 64, 96)


def test_deployed() -> None:
    module = ramp_(head()).eval()
    inputs = levels((8, 6), dtype=torch.float32)
    lighter = deploy(module)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in lighter.modules())
    with torch.no_grad():
        torch.testing.assert_close(lighter(inputs), module(inputs), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'num_convs': 0}, 'num_convs must be at least 1, got 0'),
        ({'lean': 3}, r'lean must be one of \(0, 1, 2\), got 3'),
        ({'padding': 'valid'}, "padding must be one of .* got 'valid'"),
    ],
)
def test_bad_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        head(**options)
