"""Connecting ONNX models by names, also through the bodies of loops."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnxruntime

from effnet_dense.exporting.chain import chain, renamed

HEAD = '<ir_version: 10, opset_import: ["" : 20]>'
DOUBLE = f"""{HEAD} g (float[N, 2] images, float[N, 2] sizes)
    => (float[N, 2] left, float[N, 2] right)
    {{ t = Add (images, images) left = Identity (t) right = Mul (t, sizes) }}"""
POWER = f"""{HEAD} g (float[N, 2] left, float[N, 2] sizes) => (float[N, 2] power)
    <int64 turns = {{3}}, bool yes = {{1}}>
    {{ power = Loop <body = b (int64 i, bool c, float[n, 2] t) => (bool again, float[n, 2] u)
        {{ again = Identity (c) u = Mul (t, sizes) }}> (turns, yes, left) }}"""


def run(model: onnx.ModelProto, **given: np.ndarray) -> list[np.ndarray]:
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, given)


def test_models_with_equal_names_inside() -> None:
    models = [onnx.parser.parse_model(text) for text in (DOUBLE, POWER)]
    model = chain(models, ['power', 'right'])
    assert [value.name for value in model.graph.input] == ['images', 'sizes']
    images, sizes = np.float32([[1, 2], [3, 4]]), np.float32([[2, 3], [1, 2]])
    power, right = run(model, images=images, sizes=sizes)
    np.testing.assert_array_equal(power, 2 * images * sizes**3)
    np.testing.assert_array_equal(right, 2 * images * sizes)


def test_other_names() -> None:
    model = renamed(onnx.parser.parse_model(POWER), {'left': 'a', 'sizes': 'b', 'power': 'c'})
    values = np.float32([[1, 2]])
    np.testing.assert_array_equal(run(model, a=values, b=values)[0], values**4)
    assert [value.name for value in model.graph.output] == ['c']
