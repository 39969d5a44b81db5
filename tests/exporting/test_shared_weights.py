"""Weights in 8 bits that differ by rounding are stored once."""

from __future__ import annotations

import numpy as np
import onnx.parser
from numpy.typing import NDArray
from onnx import numpy_helper

from effnet_dense.exporting.shared_weights import share_weights

RANDOM = np.random.default_rng(0)
WEIGHT = RANDOM.integers(-127, 127, (32, 512), np.int8)


def changed(count: int, step: int = 1) -> NDArray[np.int8]:
    """Return `WEIGHT` with a step in some elements."""
    values = WEIGHT.copy()
    values.flat[:count] += np.int8(step)
    return values


def shared(*values: NDArray[np.int8]) -> list[int]:
    """Return, of a sum of these tensors, which tensor each of its inputs is after sharing."""
    model = onnx.ModelProto()
    for number, tensor in enumerate(values):
        model.graph.initializer.append(numpy_helper.from_array(tensor, f'{number}'))
    names = [str(number) for number in range(len(values))]
    model.graph.node.append(onnx.helper.make_node('Sum', names, ['sum']))
    share_weights(model)
    used = [int(name) for name in model.graph.node[0].input]
    assert sorted(int(t.name) for t in model.graph.initializer) == sorted(set(used))
    return used


def test_what_is_shared() -> None:
    assert shared(WEIGHT, WEIGHT, changed(1), changed(1, -1)) == [0, 0, 0, 0]
    assert shared(WEIGHT, changed(1, 2), changed(2), WEIGHT.T.copy()) == [0, 1, 2, 3]
    assert shared(WEIGHT[:1], WEIGHT[:1]) == [0, 1]  # not worth it
    assert shared(WEIGHT.astype(np.int32), WEIGHT.astype(np.int32)) == [0, 1]
