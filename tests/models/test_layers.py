import pytest
import torch
from torch import nn

from effnet_dense.models.layers import (
    Conv2dSame,
    ConvNormAct,
    SqueezeExcite,
    conv2d,
    pad_same,
)


@pytest.mark.parametrize(
    ('size', 'kernel', 'stride', 'before', 'after'),
    [
        (4, 3, 2, 0, 1),  # even: the odd pixel goes to the end
        (5, 3, 2, 1, 1),
        (4, 5, 2, 1, 2),
        (5, 5, 2, 2, 2),
        (4, 3, 1, 1, 1),
        (1, 3, 2, 1, 1),
        (6, 1, 2, 0, 0),
    ],
)
def test_pad_same_matches_tensorflows_rule(size, kernel, stride, before, after):
    x = torch.ones(1, 1, size, size)
    padded = pad_same(x, (kernel, kernel), (stride, stride))
    assert padded.shape[-1] == before + size + after
    assert padded[0, 0, before, :].nonzero().flatten().tolist() == list(
        range(before, before + size)
    )


def test_pad_same_treats_height_and_width_apart():
    assert pad_same(torch.zeros(1, 1, 4, 5), (3, 3), (2, 2)).shape == (1, 1, 5, 7)


def test_same_convolution_by_hand():
    conv = Conv2dSame(1, 1, 3, 2, bias=False)
    nn.init.ones_(conv.weight)
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    # Windows start at (0, 0) and reach one row and column past the end.
    assert conv(x).flatten().tolist() == [
        0 + 1 + 2 + 4 + 5 + 6 + 8 + 9 + 10,
        2 + 3 + 6 + 7 + 10 + 11,
        8 + 9 + 10 + 12 + 13 + 14,
        10 + 11 + 14 + 15,
    ]


def test_a_dilated_kernel_reaches_further():
    conv = conv2d(1, 1, 3, 2, dilation=2)
    assert conv.extent == (5, 5)
    nn.init.ones_(conv.weight)
    x = torch.arange(1.0, 5.0).expand(1, 1, 4, 4)
    # Even sides are padded by 1 and 2: the windows' columns are (−1, 1, 3) and (1, 3, 5).
    assert conv(x).flatten().tolist() == [2 * (2 + 4)] * 4


@pytest.mark.parametrize('kernel', [3, 5])
@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('dilation', [1, 2, 3])
@pytest.mark.parametrize('padding', ['same', 'symmetric'])
@pytest.mark.parametrize('size', [(7, 8), (1, 5), (16, 16)])
def test_output_sizes_are_rounded_up(kernel, stride, dilation, padding, size):
    x = torch.randn(1, 2, *size)
    y = conv2d(2, 3, kernel, stride, dilation=dilation, padding=padding)(x)
    assert y.shape == (1, 3, -(-size[0] // stride), -(-size[1] // stride))


def test_an_unknown_padding_is_refused():
    with pytest.raises(ValueError, match="one of \\('same', 'symmetric'\\), got 'valid'"):
        conv2d(1, 1, 3, padding='valid')


def test_conv_norm_act_names_its_norm_as_mmcv_does():
    assert 'bn.weight' in ConvNormAct(3, 4, norm_cfg=dict(type='BN')).state_dict()
    assert 'gn.weight' in ConvNormAct(3, 4, norm_cfg=dict(type='GN', num_groups=2)).state_dict()
    assert set(ConvNormAct(3, 4).state_dict()) == {'conv.weight', 'conv.bias'}


def test_squeeze_excite_by_hand():
    se = SqueezeExcite(2, 1, dict(type='ReLU'))
    with torch.no_grad():
        se.conv1.conv.weight.copy_(torch.tensor([1.0, 2.0]).view(1, 2, 1, 1))
        se.conv1.conv.bias.fill_(-1.0)
        se.conv2.conv.weight.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1, 1))
        se.conv2.conv.bias.zero_()
    x = torch.tensor([[[[1.0, 3.0]], [[0.0, 1.0]]]])  # means 2 and 0.5 → 2 + 1 − 1 = 2
    gate = torch.tensor([2.0, -2.0]).sigmoid().view(1, 2, 1, 1)
    torch.testing.assert_close(se(x), x * gate)
