"""NNCF's quantisation: which layers, and that what follows stays in float32."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import onnx.parser
import pytest

from effnet_dense.exporting.network_runner import runner
from effnet_dense.exporting.openvino_int8 import OpenvinoQuantiser
from effnet_dense.exporting.raw_outputs import mean_difference
from effnet_dense.runtimes.openvino_session import EXACT
from tests.helpers.small_network import convolutions, images

IMAGES = images(6)
TAIL = """
    <ir_version: 10, opset_import: ["" : 20]>
    g (float[N, 64, 4] logits, float[N, 2] sizes) => (float[N, 64] boxes, float[N, 2] scores)
    <int64[1] axis = {2}, float[1] half = {0.5}> {
        boxes = ReduceMax <keepdims = 0> (logits, axis)
        scores = Mul (sizes, half)
    }
"""


def eight_bits(model: Any) -> set[str]:
    """Return the layers whose weights are stored in 8 bits."""
    found = set()
    for node in model.get_ops():
        if 'Convolution' in node.get_type_name():
            inputs, kinds = [node.input_value(1)], set()
            while inputs:
                kinds.add(inputs[0].get_element_type().to_string())
                inputs += inputs.pop(0).get_node().input_values()
            if 'i8' in kinds:
                found.add(node.get_friendly_name().partition('/')[0])
    return found


def test_quantised() -> None:
    openvino = pytest.importorskip('openvino')
    pytest.importorskip('nncf')
    network = convolutions()
    quantiser = OpenvinoQuantiser(network, IMAGES)
    found, part = quantiser.quantised(()), quantiser.quantised(['stem', 'last'])
    assert eight_bits(found) == {'stem', 'depthwise', 'pointwise', 'last'}
    assert eight_bits(part) == {'depthwise', 'pointwise'}
    constants = [node for node in found.get_ops() if node.get_type_name() == 'Constant']
    assert len(constants) == len({(*node.shape, node.data.tobytes()) for node in constants})
    image = IMAGES[0]
    exact = runner(network)(image)
    raw = runner(found)(image)
    assert 1e-4 < mean_difference(runner(part)(image), exact) < mean_difference(raw, exact) < 0.1
    joined = quantiser.joined(found, onnx.parser.parse_model(TAIL))
    assert {value.get_any_name() for value in joined.inputs} == {'images', 'sizes'}
    sizes = np.array([[16, 12], [4, 8]], np.float32)
    results = openvino.compile_model(joined, 'CPU', EXACT)(
        {'images': np.concatenate(IMAGES[:2]), 'sizes': sizes}
    )
    np.testing.assert_allclose(results['boxes'][0], raw[0][0].max(-1), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(results['scores'], sizes / 2)


def test_missing_nncf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'nncf', None)
    with pytest.raises(ImportError, match=r"needs NNCF: pip install 'effnet_dense\[openvino\]'"):
        OpenvinoQuantiser(convolutions(), IMAGES)
