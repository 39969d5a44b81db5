import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from effnet_dense.models.activations import OUT_OF_PLACE, activation


def test_mmcvs_swish_is_built_as_silu():
    assert isinstance(activation(dict(type='Swish')), nn.SiLU)


@pytest.mark.parametrize('kind', ['SiLU', 'Swish'])
def test_silu_is_in_place_only_where_no_gradient_is_recorded(kind):
    act = activation(dict(type=kind, inplace=True))
    x = torch.randn(2, 3, 4, 4)
    with profile(activities=[ProfilerActivity.CPU]) as operators:
        recorded = x.clone().requires_grad_()
        act(recorded * 1).sum().backward()
    names = [event.key for event in operators.key_averages()]
    assert 'aten::silu' in names
    assert 'aten::silu_' not in names
    reference = x.clone().requires_grad_()
    nn.functional.silu(reference).sum().backward()
    assert torch.equal(recorded.grad, reference.grad)
    frozen = x.clone()
    assert act(frozen) is frozen
    with torch.no_grad():
        feature = recorded * 1
        assert act(feature) is feature
    assert not activation(dict(type=kind)).inplace


@pytest.mark.parametrize('kind', OUT_OF_PLACE)
def test_functions_leave_their_input_alone(kind):
    x = torch.randn(2, 3)
    before = x.clone()
    assert torch.equal(OUT_OF_PLACE[kind](x), kind()(x))
    assert torch.equal(x, before)
