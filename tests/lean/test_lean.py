"""Lean training gives the plain path's gradients and statistics to the bit, and saves memory."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from effnet_dense.lean import apply
from effnet_dense.lean.chain import run_chain
from effnet_dense.lean.feature import Recomputed
from effnet_dense.models import EfficientNet
from effnet_dense.models.blocks import FusedMBConv, MBConv
from effnet_dense.models.layers import ConvNormAct
from effnet_dense.scaling import BlockRow
from tests.helpers.forked import prepare
from tests.helpers.tiers import slow_except
from tests.reference.saved_bytes import saved_bytes

TINY = dict(base='b0', width=0.25, depth=0.3)
FAMILIES = {
    'b0': dict(arch='b0'),
    'lite0': dict(arch='lite0'),
    'es': dict(arch='es'),
    'v2_b0': dict(arch='v2_b0'),
    # A fused block with a shortcut and no projection.
    'v2_s': dict(arch='v2_s', out_indices=(1, 2)),
    'head': dict(arch=TINY, out_indices=(0, 2, 6)),
}
FORMATS = [torch.contiguous_format, torch.channels_last]


def images(*size: int, seed: int = 0) -> Tensor:
    return torch.randn(2, 3, *(size or (64, 64)), generator=torch.Generator().manual_seed(seed))


def backbone(level: int, **options) -> EfficientNet:
    """The same weights at every level, in training."""
    torch.manual_seed(0)
    return EfficientNet(**{'arch': TINY, **options}, lean=level).train()


def loss(model: nn.Module, x: Tensor) -> Tensor:
    """Of every feature, with the same draws of drop path."""
    torch.manual_seed(1)
    return sum(feature.float().square().mean() for feature in model(x))


def train(model: nn.Module, x: Tensor) -> None:
    loss(model, x).backward()


def state(model: nn.Module) -> dict[str, Tensor | None]:
    gradients = {f'{name} gradient': p.grad for name, p in model.named_parameters()}
    return gradients | dict(model.named_buffers())


def assert_same(got: nn.Module, expected: nn.Module) -> None:
    """Gradients, where there are any, and statistics agree in every bit."""
    mine, theirs = state(got), state(expected)
    assert mine.keys() == theirs.keys()
    assert any(tensor is not None for name, tensor in theirs.items() if 'gradient' in name)
    for name, tensor in theirs.items():
        if tensor is None:
            assert mine[name] is None, name
        else:
            assert torch.equal(mine[name], tensor), name


@pytest.fixture
def recomputes(monkeypatch) -> list[Recomputed]:
    """What the backward pass computed again."""
    found: list[Recomputed] = []
    original = Recomputed.read

    def spy(value: Recomputed) -> Any:
        found.append(value)
        return original(value)

    monkeypatch.setattr(Recomputed, 'read', spy)
    return found


@pytest.mark.parametrize('level', [1, 2])
@pytest.mark.parametrize('memory_format', FORMATS)
@pytest.mark.parametrize('family', slow_except(FAMILIES, 'b0', 'v2_s', 'head'))
def test_every_family(family, memory_format, level, recomputes):
    x = images(64, 75).contiguous(memory_format=memory_format)
    models = [
        backbone(n, drop_path_rate=0.3, **FAMILIES[family]).to(memory_format=memory_format)
        for n in (level, 0)
    ]
    for model in models:
        train(model, x)
    assert recomputes
    assert_same(*models)


MODES = {
    'norm_eval': dict(norm_eval=True),
    'frozen_stages': dict(frozen_stages=3),
    'with_cp': dict(with_cp=True),
    'symmetric padding': dict(padding='symmetric'),
    'SyncBN alone': dict(norm_cfg=dict(type='SyncBN', eps=1e-3, momentum=0.01)),
    'no affine': dict(norm_cfg=dict(type='BN', affine=False)),
    'no statistics': dict(norm_cfg=dict(type='BN', track_running_stats=False)),
    'GN': dict(norm_cfg=dict(type='GN', num_groups=2)),
    'no norm': dict(norm_cfg=None),
    'not in place': dict(act_cfg=dict(type='Swish')),
    'an activation with weights': dict(act_cfg=dict(type='PReLU')),
    'hard swish': dict(act_cfg=dict(type='HSwish', inplace=True)),
}


@pytest.mark.parametrize('level', [1, 2])
@pytest.mark.parametrize('autocast', [False, True])
@pytest.mark.parametrize('memory_format', slow_except(FORMATS, torch.channels_last))
@pytest.mark.parametrize('mode', MODES)
def test_every_mode(mode, memory_format, autocast, level, recomputes):
    x = images().contiguous(memory_format=memory_format)
    models = [backbone(n, drop_path_rate=0.3, **MODES[mode]) for n in (level, 0)]
    for model in models:
        model.to(memory_format=memory_format)
        with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
            value = loss(model, x)
        value.backward()
    assert recomputes
    assert_same(*models)


@pytest.mark.parametrize('level', [1, 2])
@pytest.mark.parametrize('frozen', ['conv.weight', 'bn.weight', 'bn.bias', 'bn', 'se.', 'expand'])
def test_frozen_parameters_get_no_gradient(frozen, level):
    models = [backbone(n) for n in (level, 0)]
    for model in models:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(frozen not in name)
        train(model, images())
    assert_same(*models)


@pytest.mark.parametrize('level', [1, 2])
def test_gradients_of_the_images(level):
    gradients = []
    for n in (level, 0):
        x = images().requires_grad_()
        train(backbone(n).requires_grad_(n == 0), x)
        gradients.append(x.grad)
    assert torch.equal(*gradients)


@pytest.mark.parametrize('level', [1, 2])
def test_accumulated_gradients_of_two_uses_in_one_graph(level):
    models = [backbone(n) for n in (level, 0)]
    for model in models:
        (loss(model, images()) + loss(model, images(48, 80, seed=1))).backward()
        train(model, images(seed=2))
        assert model.layers[1][0].depthwise_conv.bn.num_batches_tracked == 3
    assert_same(*models)


def test_a_second_backward_pass_over_a_kept_graph():
    models = [backbone(n) for n in (1, 0)]
    for model in models:
        value = loss(model, images())
        value.backward(retain_graph=True)
        value.backward()
    assert_same(*models)


@pytest.mark.parametrize('memory_format', FORMATS)
def test_second_derivatives(memory_format):
    """Are autograd's own in double precision, where batch norm and SiLU are two operators."""
    found = []
    for level in (0, 1, 2):
        model, x = backbone(level).double(), images(32, 32).double()
        (first,) = torch.autograd.grad(
            loss(model, x), model.layers[0].conv.weight, create_graph=True
        )
        first.square().sum().backward()
        found.append([parameter.grad for parameter in model.parameters()])
    for leanly in found[1:]:
        for own, right in zip(leanly, found[0], strict=True):
            assert torch.equal(own, right)


@pytest.mark.parametrize('norm_eval', [False, True])
def test_the_mode_of_the_forward_pass_counts(norm_eval):
    models = [backbone(n, norm_eval=norm_eval) for n in (1, 0)]
    for model in models:
        value = loss(model, images())
        for module in model.modules():
            module.training = not module.training
        value.backward()
    assert_same(*models)


@pytest.mark.parametrize('level', [1, 2])
@pytest.mark.parametrize('name', ['depthwise_conv.bn.bias', 'depthwise_conv.conv.weight'])
def test_changed_parameters_are_noticed(name, level):
    model = backbone(level)
    value = loss(model, images())
    with torch.no_grad():
        model.layers[2][0].get_parameter(name).add_(1)
    with pytest.raises(RuntimeError, match=r'changed in place|modified by an inplace'):
        value.backward()


def test_hooks_of_parameters_fire_once():
    models = [backbone(n) for n in (1, 0)]
    for model in models:
        for parameter in model.parameters():
            parameter.register_hook(lambda gradient: 2 * gradient)
        train(model, images())
    assert_same(*models)


def test_autocasts_cache_keeps_no_cast_without_a_gradient():
    """A plain pass in the same autocast region would use what the lean one left there."""
    models = [backbone(n) for n in (1, 0)]
    for model in models:
        with torch.autocast('cpu', torch.bfloat16):
            value = loss(model, images())
            model.eval()
            value = value + loss(model, images(seed=1))
        value.backward()
    expected = state(models[1])
    for name, tensor in state(models[0]).items():
        # The plain path adds the gradients of both passes in bfloat16.
        torch.testing.assert_close(tensor, expected[name], rtol=0.02, atol=1e-3, msg=name)


@pytest.mark.parametrize('momentum', [0.5, None])
def test_momentum(momentum, recomputes):
    models = [backbone(n) for n in (1, 0)]
    for model in models:
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = momentum
        train(model, images())
        train(model, images(seed=1))
    assert bool(recomputes) == (momentum is not None)
    assert_same(*models)


def test_one_value_per_channel_is_refused_as_plainly():
    layer = ConvNormAct(3, 4, norm_cfg=dict(type='BN'), act_cfg=dict(type='SiLU')).train()
    for level in (0, 1):
        with pytest.raises(ValueError, match=r'more than (1|one) value per channel'):
            run_chain(level, [layer], torch.zeros(1, 3, 1, 1))
    assert layer.norm.num_batches_tracked == 1  # torch counts before it looks


@pytest.mark.parametrize('level', [1, 2])
def test_autocast_without_onednn(level):
    """Which is lenient: it takes a convolution's weight in another precision."""
    models = [backbone(n) for n in (level, 0)]
    with torch.backends.mkldnn.flags(enabled=False):
        for model in models:
            with torch.autocast('cpu', torch.bfloat16):
                value = loss(model, images(32, 32))
            value.backward()
    assert_same(*models)


@pytest.mark.parametrize(
    'register',
    [
        lambda module, seen: module.register_forward_hook(lambda *_: seen.append(1)),
        lambda module, seen: module.register_forward_pre_hook(lambda *_: seen.append(1)),
        lambda module, seen: module.register_full_backward_hook(lambda *_: seen.append(1)),
        lambda module, seen: module.register_full_backward_pre_hook(lambda *_: seen.append(1)),
    ],
)
@pytest.mark.parametrize('name', ['', '.conv', '.bn', '.act'])
def test_hooks_of_modules_fire_once(name, register):
    row = BlockRow('mbconv', 3, 1, 4, 8, 1, 0.25)
    block = lean_block(MBConv(8, row, 1, **wiring(inplace=False)), 1)
    seen: list[int] = []
    register(block.get_submodule('depthwise_conv' + name), seen)
    block(torch.randn(2, 8, 8, 8, requires_grad=True)).sum().backward()
    assert seen == [1]


def lean_block(block: nn.Module, level: int) -> nn.Module:
    assert apply(block, level) == 1
    return block.train()


def wiring(inplace: bool = True) -> dict:
    norm_cfg = dict(type='BN')

    def conv(*args, **kwargs) -> ConvNormAct:
        return ConvNormAct(*args, norm_cfg=norm_cfg, **kwargs)

    # torch has no full backward hooks next to modules that work in place.
    return dict(make_conv=conv, act_cfg=dict(type='SiLU', inplace=inplace))


def test_torch_compile_sees_one_graph():
    models = [backbone(n, out_indices=(2,)) for n in (1, 0, 0)]
    for model in models[:2]:
        torch._dynamo.reset()
        train(torch.compile(model, backend='eager', fullgraph=True), images())
    assert_same(*models[:2])
    train(models[2], images())  # by operators of our own
    for own, other in zip(models[0].parameters(), models[2].parameters(), strict=True):
        torch.testing.assert_close(own.grad, other.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('options', [dict(padding_mode='reflect', padding=1), dict(padding='same')])
def test_convolutions_that_pad_otherwise(options):
    torch.manual_seed(0)
    plain = nn.Sequential(nn.BatchNorm2d(4), nn.SiLU(), nn.Conv2d(4, 4, 3, **options))
    leanly = copy.deepcopy(plain)
    for level, model in ((0, plain), (1, leanly)):
        run_chain(level, model, images()[:, [0, 1, 2, 0]]).square().sum().backward()
    assert_same(leanly, plain)


class Sum(nn.Module):
    """Two inputs, weighted: the start of a BiFPN node."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.3, 0.7]))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.weight[0] * a + self.weight[1] * b


def test_a_row_may_start_with_several_inputs(recomputes):
    torch.manual_seed(0)
    norm_cfg = dict(type='BN')
    row = [Sum(), nn.SiLU(inplace=True), ConvNormAct(4, 6, 3, norm_cfg=norm_cfg)]
    plain, leanly = nn.ModuleList(row), nn.ModuleList(copy.deepcopy(row))
    gradients = []
    for level, modules in ((0, plain), (1, leanly)):
        a, b = (torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(n)) for n in (0, 1))
        run_chain(level, modules, a.requires_grad_(), b.requires_grad_()).square().sum().backward()
        gradients += [a.grad, b.grad]
    assert recomputes
    assert_same(leanly, plain)
    assert torch.equal(gradients[0], gradients[2])
    assert torch.equal(gradients[1], gradients[3])


def test_a_row_that_starts_in_place_leaves_the_input_to_autograd():
    x = torch.randn(2, 4, 5, 5, requires_grad=True)
    row = [nn.Conv2d(4, 4, 1), nn.SiLU(inplace=True), nn.Conv2d(4, 4, 1)]
    expected = torch.autograd.grad(run_chain(0, row, x).sum(), x)
    assert torch.equal(torch.autograd.grad(run_chain(1, row, x).sum(), x)[0], expected[0])


@pytest.mark.parametrize('se', [0.0, 0.25])
@pytest.mark.parametrize('block', [MBConv, FusedMBConv])
def test_an_upstream_gradient_is_not_written_to(block, se):
    """The shortcut and the block share it."""
    row = BlockRow('any', 3, 1, 1, 8, 1, se)
    x = torch.randn(2, 8, 6, 6, requires_grad=True)
    y = lean_block(block(8, row, 1, **wiring()), 1)(x)
    gradient = torch.randn_like(y)
    kept = gradient.clone()
    y.backward(gradient)
    assert torch.equal(gradient, kept)


@pytest.mark.parametrize(
    ('level', 'maps'),
    # Expansion 32, depthwise 32, projection 12 channels; plain: the first two three times.
    [(0, 3 * 32 + 3 * 32 + 12), (1, 32 + 32 + 12), (2, 32 + 12)],
)
def test_bytes_of_a_block_by_hand(level, maps):
    block = lean_block(MBConv(8, BlockRow('mbconv', 3, 1, 4, 12, 1, 0.25), 1, **wiring()), level)
    x = torch.randn(2, 8, 16, 16)
    statistics = 2 * (32 + 32 + 12) * 4
    # Squeezed to 8 ÷ 4 = 2 channels, of two images: mean, squeezed twice, gate.
    attention = (32 + 2 + 2 + 32) * 2 * 4
    asked, alive = saved_bytes(block, x)
    assert alive == maps * 2 * 256 * 4 + statistics + attention
    # Our own hooks hide the statistics of the expansion, whose output is recomputed, from others'.
    assert asked == alive - (2 * 32 * 4 if level == 2 else 0)


def test_bytes_of_b0():
    """Small images let statistics and weights count; plainly, too, no weighed feature is kept."""
    plain = max(saved_bytes(backbone(0, arch='b0'), images(128, 128)))
    assert max(saved_bytes(backbone(1, arch='b0'), images(128, 128))) < 0.38 * plain
    assert max(saved_bytes(backbone(2, arch='b0'), images(128, 128))) < 0.23 * plain


def _in_two_processes(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group('gloo', f'file://{folder}/store', rank=rank, world_size=2)
    models = [backbone(n) for n in (1, 0)]
    for model in models:
        train(DistributedDataParallel(model), images(seed=rank))
    assert_same(*models)
    total = models[0].layers[0].conv.weight.grad.clone()
    dist.broadcast(total, 0)
    assert torch.equal(total, models[0].layers[0].conv.weight.grad)
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes(tmp_path):
    prepare()
    mp.start_processes(_in_two_processes, (str(tmp_path),), 2, start_method='forkserver')
