"""Tensors on the pretended GPU: values and gradients of the CPU, the device of a GPU."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from effnet_dense.analysis.memory.fake_model import replace_tensors
from effnet_dense.analysis.waits.pretended_gpu import GPU, is_on_gpu, pretended_gpu, to_gpu


def ignore(*_: Any) -> None:
    pass


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True))


def test_a_step_of_training_is_the_cpus() -> None:
    x = torch.randn(2, 3, 8, 8)
    plain, moved = network(), network()
    plain(x).square().mean().backward()
    torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9).step()

    replace_tensors(moved, to_gpu)
    with pretended_gpu(ignore):
        moved(x.to('cuda')).square().mean().backward()
        torch.optim.SGD(moved.parameters(), lr=0.1, momentum=0.9, fused=True).step()
    for name, tensor in moved.state_dict().items():
        assert is_on_gpu(tensor)
        assert tensor.device == GPU
        torch.testing.assert_close(tensor.on_host, plain.state_dict()[name], msg=name)


def test_python_sees_a_gpu() -> None:
    with pretended_gpu(ignore):
        x = torch.arange(3, device='cuda:0')
        assert x.is_cuda
        assert not x.is_meta
        assert x.cpu().tolist() == x.tolist() == [0, 1, 2]
        assert not is_on_gpu(x.cpu())
        assert is_on_gpu(torch.zeros_like(x))
        assert is_on_gpu(x.new_tensor([1, 2]))
        assert x[x > 1].item() == 2
        x[:2] = 7
        assert x.tolist() == [7, 7, 2]


def test_copies_are_apart() -> None:
    parameter: Any = to_gpu(nn.Parameter(torch.ones(2)))
    copied = copy.deepcopy(parameter)
    assert isinstance(copied, nn.Parameter)
    assert copied.requires_grad
    with pretended_gpu(ignore), torch.no_grad():
        copied += 1
    assert parameter.on_host.tolist() == [1, 1]
