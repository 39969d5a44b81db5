import pytest
import torch
from torch import nn

from effnet_dense.models import EfficientNet
from effnet_dense.ops.checkpoint import frozen_statistics


def step(model: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    model.train()
    sum(feature.square().mean() for feature in model(x)).backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize('norm_eval', [False, True])
@pytest.mark.parametrize('drop_path_rate', [0.0, 0.5])
def test_checkpointing_changes_neither_gradients_nor_statistics(norm_eval, drop_path_rate):
    options = dict(arch='b0', norm_eval=norm_eval, drop_path_rate=drop_path_rate)
    plain, checkpointed = EfficientNet(**options), EfficientNet(with_cp=True, **options)
    checkpointed.load_state_dict(plain.state_dict())
    x = torch.randn(2, 3, 64, 64)
    expected, got = step(plain, x), step(checkpointed, x)
    assert expected.keys() == got.keys()
    for name in expected:
        torch.testing.assert_close(got[name], expected[name], rtol=0, atol=0)
    for name, buffer in plain.named_buffers():
        torch.testing.assert_close(dict(checkpointed.named_buffers())[name], buffer, rtol=0, atol=0)
    counted = plain.layers[1][0].depthwise_conv.bn.num_batches_tracked
    assert counted == (0 if norm_eval else 1)


def test_checkpointing_saves_memory():
    def saved_bytes(model: nn.Module, x: torch.Tensor) -> int:
        sizes: dict[int, int] = {}

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            features = model.train()(x)
        assert features
        return sum(sizes.values())

    x = torch.randn(2, 3, 128, 128)
    plain = saved_bytes(EfficientNet('b0'), x)
    assert saved_bytes(EfficientNet('b0', with_cp=True), x) < 0.5 * plain


def test_statistics_are_frozen_inside_and_restored_outside():
    norm = nn.BatchNorm2d(2)
    mean = norm.running_mean
    with frozen_statistics(norm):
        norm(torch.randn(4, 2, 3, 3))
    assert norm.num_batches_tracked == 0
    assert norm.running_mean is mean
    assert mean.tolist() == [0.0, 0.0]
    norm(torch.randn(4, 2, 3, 3))
    assert norm.num_batches_tracked == 1
    assert mean.abs().sum() > 0
