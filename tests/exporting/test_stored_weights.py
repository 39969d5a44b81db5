"""Weights in fewer bits: smaller files, nearly the same outputs in both runtimes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from effnet_dense.exporting.network_runner import runner
from effnet_dense.exporting.openvino_file import to_openvino
from effnet_dense.exporting.raw_outputs import largest_difference
from effnet_dense.exporting.stored_weights import STORED, in_float16
from tests.helpers.small_network import convolutions, images


@pytest.mark.parametrize(
    ('precision', 'share', 'most'), [('fp16', 0.55, 2e-3), ('int8-weights', 0.32, 3e-2)]
)
def test_size_and_outputs(precision: str, share: float, most: float) -> None:
    network = convolutions(width=128)
    before = network.SerializeToString()
    found = STORED[precision](network)
    assert network.SerializeToString() == before
    onnx.checker.check_model(found, full_check=True)
    assert len(found.SerializeToString()) < share * len(before)
    (image,) = images(1)
    expected, outputs = runner(network)(image), runner(found)(image)
    assert 0 < largest_difference(outputs, expected) < most
    pytest.importorskip('openvino')
    converted = to_openvino(found)
    assert largest_difference(runner(converted)(image), outputs) < 1e-5
    constants = [node.data for node in converted.get_ops() if node.get_type_name() == 'Constant']
    assert sum(values.nbytes for values in constants) < share * len(before)


def test_values_that_float16_lacks() -> None:
    network = convolutions()
    (large,) = (t for t in network.graph.initializer if t.name == 'pointwise_weight')
    large.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(large) * 1e6, large.name))
    tensors = {tensor.name: tensor for tensor in in_float16(network).graph.initializer}
    assert tensors['pointwise_weight'].data_type == onnx.TensorProto.FLOAT
    assert 'stem_weight_float16' in tensors and 'stem_bias' in tensors
    (image,) = images(1)
    assert all(np.isfinite(value).all() for value in runner(in_float16(network))(image))


@pytest.mark.parametrize('precision', STORED)
def test_values_by_channel_stay(precision: str) -> None:
    network = convolutions(width=128)
    scale = numpy_helper.from_array(np.full((128, 1, 1), 1.2345, np.float32), 'scale')
    network.graph.initializer.append(scale)
    tensors = {tensor.name: tensor for tensor in STORED[precision](network).graph.initializer}
    assert tensors['scale'] == scale
