"""Packed convolutions give torch's results, and step aside where they cannot."""

import copy
import io

import pytest
import torch
from torch import nn

from effnet_dense.deployment.packed_conv import can_absorb, can_pack, pack_conv
from effnet_dense.models.layers import Conv2dSame, DepthwiseConv2d

CONVS = {
    'pointwise': lambda: nn.Conv2d(6, 8, 1),
    'strided': lambda: nn.Conv2d(6, 8, 3, 2, 1, bias=False),
    'dilated': lambda: nn.Conv2d(6, 8, 3, padding=2, dilation=2),
    'depthwise': lambda: nn.Conv2d(6, 6, 3, padding=1, groups=6),
    'SAME': lambda: Conv2dSame(6, 8, 3, 2),
    'SAME depthwise': lambda: DepthwiseConv2d(6, 5, 2, 1, True, 'same'),
    'SAME depthwise, dilated': lambda: DepthwiseConv2d(6, 5, 1, 2, True, 'same'),
}
ACTS = {'none': None, 'SiLU': nn.SiLU(), 'ReLU': nn.ReLU(), 'ReLU6': nn.ReLU6()}
ACTS['Hardswish'] = nn.Hardswish()


@pytest.fixture
def calls(monkeypatch):
    """How often kernels were packed."""
    found = []
    original = torch.ops.mkldnn._reorder_convolution_weight

    def spy(*args):
        found.append(args)
        return original(*args)

    monkeypatch.setattr(torch.ops.mkldnn, '_reorder_convolution_weight', spy)
    return found


@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize('name', CONVS)
def test_the_same_results_at_several_sizes(name, memory_format, calls):
    conv = CONVS[name]()
    packed = pack_conv(conv)
    with torch.no_grad():
        for size in ((2, 6, 9, 7), (1, 6, 16, 16), (2, 6, 9, 7)):
            x = torch.randn(size).contiguous(memory_format=memory_format)
            torch.testing.assert_close(packed(x), conv(x), rtol=1e-6, atol=1e-6)
    # An even side has its padding at the end, and the kernel is another one.
    assert len(calls) == (3 if name == 'SAME depthwise' else 1)


@pytest.mark.parametrize('conv', CONVS)
@pytest.mark.parametrize('act', ACTS)
def test_with_the_activation_after_it(act, conv, calls):
    conv, act = CONVS[conv](), ACTS[act]
    joined = pack_conv(conv, act)
    x = 30 * torch.randn(2, 6, 9, 7).contiguous(memory_format=torch.channels_last)
    separate = nn.Sequential(conv, *[act] if act else [])
    with torch.no_grad():
        torch.testing.assert_close(joined(x), separate(x), rtol=1e-5, atol=1e-5)
    assert len(calls) == 1
    # Where gradients are asked for it is there, too.
    torch.testing.assert_close(joined(x), separate(x), rtol=0, atol=0)
    assert len(calls) == 1


def test_other_weights_are_packed_again(calls):
    conv = pack_conv(nn.Conv2d(6, 8, 1))
    x = torch.randn(1, 6, 4, 4)
    with torch.no_grad():
        before = conv(x)
        conv.weight.mul_(2)
        conv.bias.mul_(2)
        torch.testing.assert_close(conv(x), 2 * before)
        conv.weight = nn.Parameter(conv.weight / 2)
        conv.bias.div_(2)
        torch.testing.assert_close(conv(x), before)
    assert len(calls) == 3


def test_new_weights_at_an_old_address():
    conv = pack_conv(nn.Conv2d(64, 64, 1, bias=False))
    x = torch.randn(1, 64, 4, 4)
    with torch.no_grad():
        for value in range(20):  # a freed weight's memory is often the next one's
            del conv.weight
            conv.weight = nn.Parameter(torch.full((64, 64, 1, 1), float(value)))
            torch.testing.assert_close(conv(x), nn.functional.conv2d(x, conv.weight))


def test_torchs_own_elsewhere(calls):
    conv = pack_conv(nn.Conv2d(6, 8, 1))
    x = torch.randn(1, 6, 4, 4, requires_grad=True)
    conv(x).sum().backward()
    assert x.grad is not None
    with torch.no_grad():
        conv(x[:0])
        with torch.autocast('cpu', torch.bfloat16):
            assert conv(x).dtype == torch.bfloat16
        with torch.backends.mkldnn.flags(enabled=False, allow_tf32=None):
            conv(x)
        copy.deepcopy(conv).double()(x.double())
        torch.jit.trace(conv, x, check_trace=False)
    with torch.inference_mode():
        copy.deepcopy(conv)(x)
    assert not calls


def test_copies_and_files_are_without_the_packed_kernel():
    conv = pack_conv(nn.Conv2d(6, 8, 1))
    x = torch.randn(1, 6, 4, 4)
    with torch.no_grad():
        expected = conv(x)
        assert conv.packed is not None
        twin = copy.deepcopy(conv)
        assert twin.packed is None
        assert torch.equal(twin(x), expected)
        torch.save(conv, file := io.BytesIO())
    assert list(conv.state_dict()) == ['weight', 'bias']
    assert file.tell() > 0


def test_the_original_stays_as_it_is():
    conv = nn.Conv2d(6, 8, 1)
    pack_conv(conv, nn.ReLU())
    assert not list(conv.children())


def test_what_is_packed():
    changed, hooked = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)
    changed.forward = lambda x: x
    hooked.register_forward_hook(lambda *_: None)
    assert can_pack(nn.Conv2d(4, 4, 3, padding=1))
    assert can_pack(nn.Conv2d(4, 4, 3, groups=4))
    assert can_pack(Conv2dSame(4, 4, 3, 2))
    assert not can_pack(nn.Conv2d(4, 4, 3, groups=2))
    assert not can_pack(nn.Conv2d(4, 4, 3, padding='same'))
    assert not can_pack(nn.Conv2d(4, 4, 3, padding_mode='reflect'))
    assert not can_pack(changed)
    assert not can_pack(hooked)
    assert not can_pack(nn.Linear(1, 1))


def test_what_joins():
    hooked = nn.ReLU()
    hooked.register_forward_hook(lambda *_: None)
    assert can_absorb(nn.SiLU())
    assert can_absorb(nn.ReLU6(inplace=True))
    assert not can_absorb(nn.Tanh())
    assert not can_absorb(hooked)
    assert not can_absorb(None)
