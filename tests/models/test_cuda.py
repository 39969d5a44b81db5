"""What only a GPU can show; expected: all pass on any CUDA device with 4 GiB."""

import copy

import pytest
import torch

from effnet_dense.models import EfficientNet
from effnet_dense.ops import triton_norm
from tests.helpers.peers import randomise_

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def _exact_float32():
    """Without TF32, whose ten bits of mantissa would hide a wrong layer."""
    old = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = old


@pytest.mark.parametrize('arch', ['b0', 'lite0', 'es', 'v2_b0'])
@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
def test_features_equal_the_cpus(arch, memory_format):
    model = EfficientNet(arch).eval()
    randomise_(model, 0)
    x = torch.randn(2, 3, 225, 193)
    with torch.no_grad():
        expected = model(x)
        features = model.cuda().to(memory_format=memory_format)(
            x.cuda().contiguous(memory_format=memory_format)
        )
    for feature, reference in zip(features, expected, strict=True):
        error = (feature.cpu() - reference).abs().max() / reference.abs().max()
        assert error <= 1e-4


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_a_step_under_autocast_has_finite_gradients(dtype):
    model = EfficientNet('b0', drop_path_rate=0.2).cuda().train()
    with torch.autocast('cuda', dtype=dtype):
        features = model(torch.randn(4, 3, 256, 256, device='cuda'))
    assert features[-1].dtype == dtype
    sum(feature.float().mean() for feature in features).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_checkpointing_halves_the_peak_and_keeps_gradients():
    plain = EfficientNet('b0').cuda().train()
    checkpointed = copy.deepcopy(plain)
    checkpointed.with_cp = True
    x = torch.randn(4, 3, 256, 256, device='cuda')
    peaks, gradients = [], []
    for model in (plain, checkpointed):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        sum(feature.square().mean() for feature in model(x)).backward()
        peaks.append(torch.cuda.max_memory_allocated() - before)
        gradients.append([p.grad for p in model.parameters()])
    assert peaks[1] < 0.6 * peaks[0]
    for expected, got in zip(*gradients, strict=True):
        # cuDNN's reductions may run in another order.
        torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-5)
    assert checkpointed.layers[1][0].depthwise_conv.bn.num_batches_tracked == 1


@pytest.mark.parametrize('dtype', triton_norm.DTYPES)
def test_triton_kernels_agree_with_double_precision(dtype):
    pytest.importorskip('triton', reason='triton is not installed')
    assert triton_norm.is_available(torch.device('cuda', 0), dtype)


@pytest.mark.parametrize('lean', [1, 2])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
def test_lean_gradients_equal_the_plain_ones(dtype, lean):
    plain = EfficientNet('b0', lean=0).cuda().train()
    ours = EfficientNet('b0', lean=lean).cuda().train()
    ours.load_state_dict(plain.state_dict())
    x = torch.randn(4, 3, 256, 256, device='cuda')
    for model in (plain, ours):
        with torch.autocast('cuda', dtype=dtype, enabled=dtype != torch.float32):
            features = model(x)
        sum(feature.float().square().mean() for feature in features).backward()
    # Norms, and reductions by cuDNN, run in another order.
    bound = 1e-3 if dtype == torch.float32 else 5e-2
    for (name, expected), got in zip(plain.named_parameters(), ours.parameters(), strict=True):
        assert (got.grad - expected.grad).norm() <= bound * expected.grad.norm() + 1e-5, name
