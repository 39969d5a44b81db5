"""What only a GPU can show, and the same on a pretended one, in float32.

Expected: all pass on any CUDA device with 4 GiB.
"""

import copy
from contextlib import nullcontext

import pytest
import torch
from mmengine.registry import init_default_scope

from effnet_dense.analysis.memory.fake_model import replace_tensors
from effnet_dense.analysis.saved_memory import measure_saved_memory
from effnet_dense.analysis.waits.pretended_gpu import pretended_gpu, to_gpu
from effnet_dense.models import EfficientDetHead, EfficientNet
from tests.helpers.peers import randomise_

SMALL = dict(base='b0', width=0.25, depth=0.3)
FORMATS = [torch.contiguous_format, torch.channels_last]


@pytest.fixture(autouse=True)
def _exact_float32():
    """Without TF32, whose ten bits of mantissa would hide a wrong layer."""
    old = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = old


def on_pretended_gpu(model):
    replace_tensors(model, to_gpu)
    return model


def check_features(arch, memory_format, size, move):
    model = EfficientNet(arch).eval()
    randomise_(model, 0)
    x = torch.randn(2, 3, *size)
    with torch.no_grad():
        expected = model(x)
        features = move(model.to(memory_format=memory_format))(
            x.contiguous(memory_format=memory_format).cuda()
        )
    for feature, reference in zip(features, expected, strict=True):
        assert feature.is_cuda
        error = (feature.cpu() - reference).abs().max() / reference.abs().max()
        assert error <= 1e-4


@pytest.mark.parametrize('arch', ['b0', 'lite0'])
@pytest.mark.parametrize('memory_format', FORMATS)
def test_features_on_a_pretended_gpu(arch, memory_format):
    with pretended_gpu(lambda *_: None):
        check_features(arch, memory_format, (65, 33), on_pretended_gpu)


@pytest.mark.gpu
@pytest.mark.parametrize('arch', ['b0', 'lite0', 'es', 'v2_b0'])
@pytest.mark.parametrize('memory_format', FORMATS)
def test_features_equal_the_cpus(arch, memory_format):
    """On the CPU: test_features_on_a_pretended_gpu."""
    check_features(arch, memory_format, (225, 193), torch.nn.Module.cuda)


def check_autocast(model, x, device, dtype):
    with torch.autocast(device, dtype=dtype):
        features = model.train()(x)
    assert features[-1].dtype == dtype
    sum(feature.float().mean() for feature in features).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_a_step_under_the_cpus_autocast():
    model = EfficientNet(SMALL, drop_path_rate=0.2)
    check_autocast(model, torch.randn(4, 3, 64, 64), 'cpu', torch.bfloat16)


@pytest.mark.gpu
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_a_step_under_autocast_has_finite_gradients(dtype):
    """On the CPU: test_a_step_under_the_cpus_autocast."""
    model = EfficientNet('b0', drop_path_rate=0.2).cuda()
    check_autocast(model, torch.randn(4, 3, 256, 256, device='cuda'), 'cuda', dtype)


def checkpointed_copy(plain):
    copied = copy.deepcopy(plain)
    copied.with_cp = True
    return copied


def gradients(model, x, context=nullcontext):
    with context():
        features = model(x)
    sum(feature.float().square().mean() for feature in features).backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


def test_checkpointing_saves_less_and_keeps_gradients():
    plain, x = EfficientNet(SMALL).train(), torch.randn(2, 3, 64, 64)
    checkpointed = checkpointed_copy(plain)
    expected, got = gradients(plain, x), gradients(checkpointed, x)
    torch.testing.assert_close(got, expected)
    assert checkpointed.layers[1][0].depthwise_conv.bn.num_batches_tracked == 1
    saved = [measure_saved_memory(model, x).bytes for model in (checkpointed, plain)]
    assert saved[0] < 0.6 * saved[1]


@pytest.mark.gpu
def test_checkpointing_halves_the_peak_and_keeps_gradients():
    """On the CPU: test_checkpointing_saves_less_and_keeps_gradients."""
    plain = EfficientNet('b0').cuda().train()
    checkpointed = checkpointed_copy(plain)
    x = torch.randn(4, 3, 256, 256, device='cuda')
    peaks, found = [], []
    for model in (plain, checkpointed):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        found.append(gradients(model, x))
        peaks.append(torch.cuda.max_memory_allocated() - before)
    assert peaks[1] < 0.6 * peaks[0]
    # cuDNN's reductions may run in another order.
    torch.testing.assert_close(found[1], found[0], rtol=1e-3, atol=1e-5)
    assert checkpointed.layers[1][0].depthwise_conv.bn.num_batches_tracked == 1


def check_lean(arch, x, lean, move, bound, context=nullcontext):
    plain, ours = EfficientNet(arch, lean=0), EfficientNet(arch, lean=lean)
    ours.load_state_dict(plain.state_dict())
    expected, got = (gradients(move(model).train(), x, context) for model in (plain, ours))
    for name, gradient in expected.items():
        difference = (got[name] - gradient).norm().item()
        assert difference <= bound * gradient.norm().item() + 1e-5, name


@pytest.mark.parametrize('lean', [1, 2])
def test_lean_gradients_on_a_pretended_gpu(lean):
    x = torch.randn(2, 3, 64, 64)
    with pretended_gpu(lambda *_: None):
        check_lean(SMALL, x.cuda(), lean, on_pretended_gpu, 1e-3)


@pytest.mark.gpu
@pytest.mark.parametrize('lean', [1, 2])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
def test_lean_gradients_equal_the_plain_ones(dtype, lean):
    """On the CPU: test_lean_gradients_on_a_pretended_gpu."""
    x = torch.randn(4, 3, 256, 256, device='cuda')
    # cuDNN's batch norm and reductions run in another order than those of the second pass.
    bound = 1e-3 if dtype == torch.float32 else 5e-2

    def context():
        return torch.autocast('cuda', dtype=dtype, enabled=dtype != torch.float32)

    check_lean('b0', x, lean, torch.nn.Module.cuda, bound, context)


def check_head(channels, sides, batch, move, bound, context=nullcontext):
    """Gradients of EfficientDet's head, both nets at once on small levels, and one by one."""
    init_default_scope('mmdet')
    coder = dict(type='DeltaXYWHBBoxCoder')
    plain, ours = (
        EfficientDetHead(4, channels, stacked_convs=2, bbox_coder=coder, lean=lean)
        for lean in (0, 1)
    )
    ours.load_state_dict(plain.state_dict())
    inputs = [torch.randn(batch, channels, side, side) for side in sides]
    found = []
    for part in (plain, ours):
        part = move(part).train()
        with context():
            logits, deltas = part([x.cuda() for x in inputs])
        assert all(x.is_cuda for x in (*logits, *deltas))
        sum(x.float().square().mean() for x in (*logits, *deltas)).backward()
        names = {type(x.grad_fn).__name__ for x in logits}
        found.append((names, {name: x.grad for name, x in part.named_parameters()}))
    (alone, expected), (joined, got) = found
    assert '_JoinedNetsBackward' not in alone
    assert joined == {'_JoinedNetsBackward'}
    for name, gradient in expected.items():
        difference = (got[name] - gradient).norm().item()
        assert difference <= bound * gradient.norm().item() + 1e-5, name


def test_the_heads_small_levels_on_a_pretended_gpu():
    with pretended_gpu(lambda *_: None):
        check_head(8, (8, 4, 2, 1, 1), 2, on_pretended_gpu, 1e-3)


@pytest.mark.gpu
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
def test_the_heads_small_levels_have_the_gradients_of_single_nets(dtype):
    """On the CPU: test_the_heads_small_levels_on_a_pretended_gpu."""
    bound = 1e-3 if dtype == torch.float32 else 5e-2

    def context():
        return torch.autocast('cuda', dtype=dtype, enabled=dtype != torch.float32)

    check_head(64, (64, 32, 16, 8, 4), 2, torch.nn.Module.cuda, bound, context)
