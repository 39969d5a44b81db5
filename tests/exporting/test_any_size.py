"""Two graphs of one module become one for every size, or are refused by the node that differs."""

from __future__ import annotations

import math

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
import torch

from effnet_dense.exporting.any_size import Plan, any_size
from effnet_dense.models.layers import max_pool

GRAPH = """
    <ir_version: 10, opset_import: ["" : 20]>
    g (float[N, 3, {h}, {w}] images) => (float[N, {p}, 2] rows, float[N, 3, {h2}, {w2}] small)
    <int64[3] shape = {{-1, {p}, 2}}, float[4] scales = {{1, 1, 0.5, 0.5}},
     float factor = {{{f}}}>
    {{ rows = Reshape (images, shape)
       half = Resize <mode = "{mode}"> (images, , scales)
       small = Mul (half, factor) }}
"""


def graph(
    height: int, width: int, more: int = 0, factor: float = 2.0, mode: str = 'nearest'
) -> onnx.ModelProto:
    """Return a graph of images of 8 pixels per unit, with rows of two pixels."""
    sides = dict(h=height * 8, w=width * 8, h2=height * 4, w2=width * 4)
    rows = 3 * height * width * 32 + more
    text = GRAPH.format(p=rows, f=factor, mode=mode, **sides)
    return onnx.parser.parse_model(text)


def test_numbers_are_computed_from_the_size() -> None:
    model = graph(2, 3)
    any_size(model, graph(3, 5), Plan(8))
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    images = np.arange(2 * 3 * 16 * 40, dtype=np.float32).reshape(2, 3, 16, 40)
    rows, small = session.run(None, {'images': images})
    np.testing.assert_array_equal(rows, images.reshape(2, -1, 2))
    np.testing.assert_array_equal(small, images[:, :, ::2, ::2] * 2)
    assert [value.shape[2] for value in session.get_inputs()] == ['height']
    assert session.get_outputs()[1].shape == ['N', 3, 'small_2', 'small_3']


@pytest.mark.parametrize(
    ('second', 'message'),
    [
        (graph(3, 5, more=1), r'no graph for every size: Reshape .* depends on the size'),
        (graph(3, 5, factor=3.0), r'no graph for every size: Mul .* depends on the size'),
        (graph(3, 5, mode='linear'), r'no graph for every size: Resize'),
    ],
)
def test_other_differences_are_refused(second: onnx.ModelProto, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        any_size(graph(2, 3), second, Plan(8))


def test_further_nodes_are_refused() -> None:
    second = graph(3, 5)
    second.graph.node.append(second.graph.node[0])
    with pytest.raises(ValueError, match='no graph for every size: 3 nodes at one, 4 at another'):
        any_size(graph(2, 3), second, Plan(8))


@pytest.mark.parametrize('halvings', range(5))
def test_traced_sizes_tell_all_units_apart(halvings: int) -> None:
    """Up to P9 of a BiFPN from P2, which is 4 halvings above a stride of 32."""
    plan = Plan(32, halvings)
    ratios = [second / first for first, second in plan.units.values()]
    assert len(ratios) == 3 * (halvings + 1) == len(set(ratios))
    for size in plan.traced:
        assert all(math.ceil(side / 2**halvings) > 1 for side in size)


def test_parts() -> None:
    assert Plan(32).part_of(7, 7) == ('', 7)
    assert Plan(32).part_of(-1, -1) == ('', -1)
    assert Plan(32).part_of(64, 96) == ('height', 32)
    assert Plan(32).part_of(96, 160) == ('width', 32)
    assert Plan(32).part_of(6 * 9, 15 * 9) == ('area', 9)
    assert Plan(32).part_of(65, 97) is Plan(32).part_of(3, 5 * 7) is None


POOLS = """
    <ir_version: 10, opset_import: ["" : 20]>
    g (float[N, 3, {h}, {w}] images) => (float[N, 3, {h2}, {w2}] small)
    {{ small = MaxPool <kernel_shape = [3, {kernel}], strides = [2, 2], ceil_mode = 1,
                        pads = [{top}, {left}, {top}, {left}]> (images) }}
"""


def pooled(height: int, width: int, kernel: int = 3) -> onnx.ModelProto:
    """Return a graph as `models.layers.max_pool` is traced, of images of a pixel per unit."""
    sides = dict(h=height, w=width, h2=(height + 1) // 2, w2=(width + 1) // 2)
    return onnx.parser.parse_model(
        POOLS.format(top=height % 2, left=width % 2, kernel=kernel, **sides)
    )


@pytest.mark.parametrize('size', [(1, 1), (1, 2), (2, 3), (7, 6), (8, 5)])
def test_pooling_pads_by_the_size(size: tuple[int, int]) -> None:
    model = pooled(5, 8)
    any_size(model, pooled(9, 13), Plan(1, 1))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    images = torch.randn(2, 3, *size)
    (found,) = session.run(None, {'images': images.numpy()})
    np.testing.assert_array_equal(found, max_pool(images).numpy())


def test_other_pooling_is_refused() -> None:
    with pytest.raises(ValueError, match='no graph for every size: MaxPool'):
        any_size(pooled(5, 8, kernel=2), pooled(9, 13, kernel=2), Plan(1, 1))
