"""Channel attention as runtimes have it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from effnet_dense.exporting.attention import folded_for_export, name_pooling
from effnet_dense.models import EfficientNet
from tests.helpers.peers import randomise_

pytest.importorskip('onnxscript', reason='the extra onnx is not installed')


def test_attention_is_one_pooling_and_convolutions() -> None:
    from effnet_dense.exporting.onnx_file import to_onnx

    network = randomise_(EfficientNet('b0')).eval()
    images = torch.randn(2, 3, 64, 64)
    exported = folded_for_export(network)
    with torch.no_grad():
        for found, expected in zip(exported(images), network(images), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    graph = to_onnx(exported, [images], ['images'], ['c3', 'c4', 'c5']).graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count('GlobalAveragePool') == 16
    assert not {'ReduceMean', 'ReduceSum', 'Gemm', 'Div'} & set(kinds)
    for value in (*graph.input, *graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param == 'N'


@pytest.mark.parametrize(
    'axes, keepdims, expected',
    [
        ([2, 3], 1, 'GlobalAveragePool'),
        ([-1, -2], 1, 'GlobalAveragePool'),
        ([3], 1, 'ReduceMean'),
        ([1, 2], 1, 'ReduceMean'),
        ([2, 3], 0, 'ReduceMean'),
    ],
)
def test_only_means_over_the_image_are_renamed(
    axes: list[int], keepdims: int, expected: str
) -> None:
    helper: Any = onnx.helper
    values = [helper.make_tensor_value_info(name, 1, (1, 4, 8, 8)) for name in ('x', 'y')]
    out = helper.make_tensor_value_info('z', 1, None)
    nodes = [
        helper.make_node('Relu', ['x'], ['y']),
        helper.make_node('ReduceMean', ['y', 'axes'], ['z'], keepdims=keepdims),
    ]
    constant = helper.make_tensor('axes', 7, [len(axes)], axes)
    graph = helper.make_graph(nodes, 'g', values[:1], [out], [constant], value_info=values[1:])
    model = helper.make_model(graph)
    name_pooling(model)
    assert model.graph.node[1].op_type == expected
    assert len(model.graph.initializer) == (expected == 'ReduceMean')


class _Attended(nn.Module):
    """A convolution in which ONNX Runtime's layout starts, and the mean of its result."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.conv(images).mean((2, 3), keepdim=True)


@pytest.mark.parametrize(
    'channels, size, tiles',
    [
        (16, (160, 160), [8, 8]),
        (32, (96, 60), [6, 6]),
        (16, (32, 32), [8, 8]),
        (16, (24, 24), None),
        (16, (6, 7), None),
        (24, (160, 160), None),  # not in blocks of 16: tiles take long
    ],
)
def test_means_in_onnx_runtime_are_as_exact_as_pytorchs(
    channels: int, size: tuple[int, int], tiles: list[int] | None
) -> None:
    from effnet_dense.exporting.onnx_file import to_onnx

    runtime = pytest.importorskip('onnxruntime', reason='the extra onnx is not installed')
    torch.manual_seed(0)
    module, images = _Attended(channels).eval(), torch.rand(1, 3, *size) + 1
    with torch.no_grad():
        exact = module.double()(images.double()).numpy()
        model = to_onnx(module.float(), [images], ['images'], ['mean'], dynamic_batch=False)
    kernels = [
        onnx.helper.get_attribute_value(attribute)
        for node in model.graph.node
        for attribute in node.attribute
        if node.op_type == 'AveragePool' and attribute.name == 'kernel_shape'
    ]
    assert kernels == ([tiles] if tiles else [])
    session = runtime.InferenceSession(
        model.SerializeToString(), providers=['CPUExecutionProvider']
    )
    (found,) = session.run(None, {'images': images.numpy()})
    assert np.abs(found / exact - 1).max() < (1e-6 if channels % 16 == 0 else 3e-6)
