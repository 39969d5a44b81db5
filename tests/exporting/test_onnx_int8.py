"""ONNX Runtime's quantisation: which layers, and where values are not rounded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from effnet_dense.exporting import onnx_int8
from effnet_dense.exporting.network_runner import runner
from effnet_dense.exporting.onnx_int8 import COMPARED, OnnxQuantiser, saturates
from effnet_dense.exporting.raw_outputs import mean_difference
from tests.helpers.small_network import convolutions, images

IMAGES = images(6)
LAYERS = ['stem', 'depthwise', 'pointwise', 'last']


def in_int8(model: onnx.ModelProto) -> set[str]:
    """Return the layers whose weights are stored in 8 bits."""
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    eight = {n.removesuffix('_weight_quantized') for n, k in kinds.items() if k == 3}
    return eight & set(LAYERS)


@pytest.mark.parametrize('reduced', [False, True])
def test_quantised(reduced: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('effnet_dense.exporting.onnx_int8.saturates', lambda: reduced)
    network = convolutions()
    quantiser = OnnxQuantiser(network, IMAGES)
    found, part = quantiser.quantised(()), quantiser.quantised(['stem', 'last'])
    assert in_int8(found) == set(LAYERS)
    assert in_int8(part) == {'depthwise', 'pointwise'}
    weights = [t for t in found.graph.initializer if t.data_type == 3 and len(t.dims) > 1]
    largest = max(int(np.abs(onnx.numpy_helper.to_array(t).astype(int)).max()) for t in weights)
    assert largest == (64 if reduced else 127)
    assert {entry.domain for entry in found.opset_import} == {''}
    run, fewer, exact = runner(found), runner(part), runner(network)
    image = IMAGES[0]
    error = mean_difference(run(image), exact(image))
    assert 1e-4 < mean_difference(fewer(image), exact(image)) < error < 0.1
    assert len(np.unique(run(image)[0])) > 200  # of 256 values; 8 bits would leave fewer


@pytest.mark.parametrize('reduced', [False, True])
def test_means_are_those_of_float32(reduced: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('effnet_dense.exporting.onnx_int8.saturates', lambda: reduced)
    network = convolutions()
    quantiser = OnnxQuantiser(network, IMAGES)
    corrected = quantiser.quantised(())
    monkeypatch.setattr(onnx_int8, 'correct_biases', lambda network, *_: network)
    plain = quantiser.quantised(())

    def mean_logits(model: onnx.ModelProto) -> NDArray[np.float32]:
        run = runner(model)
        return np.mean([run(image)[0] for image in IMAGES], (0, 1, 2))

    before, after = (np.abs(mean_logits(m) - mean_logits(network)) for m in (plain, corrected))
    assert after.mean() < 0.5 * before.mean()


def test_the_layer_that_errs_most_comes_first() -> None:
    network = convolutions()
    quantiser = OnnxQuantiser(network, IMAGES)
    first, *_, last = quantiser.layers()
    assert sorted(quantiser.layers()) == sorted(LAYERS)
    exact = runner(network)
    errors = []
    for name in (first, last):
        alone = runner(quantiser.quantised([other for other in LAYERS if other != name]))
        compared = IMAGES[:COMPARED]
        errors.append(sum(mean_difference(alone(image), exact(image)) for image in compared))
    assert errors[0] > errors[1]


def test_images_are_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counted(list):  # type: ignore[type-arg]
        turns = 0

        def __iter__(self):  # type: ignore[no-untyped-def]
            self.turns += 1
            return super().__iter__()

    counted = Counted(IMAGES)
    quantiser = OnnxQuantiser(convolutions(), counted)
    quantiser.quantised(())
    quantiser.quantised(['stem'])
    assert counted.turns == 2  # for ranges and for means, not by each attempt


@pytest.mark.parametrize(
    ('flags', 'machine', 'expected'),
    [
        ('fpu avx2 fma', 'x86_64', True),
        ('fpu avx512f avx512_vnni', 'x86_64', False),
        ('avx2 avx_vnni', 'AMD64', False),
        ('', 'aarch64', False),
        (None, 'x86_64', True),
        (None, 'arm64', False),
    ],
)
def test_saturates(tmp_path: Path, flags: str | None, machine: str, expected: bool) -> None:
    info = tmp_path / 'cpuinfo'
    if flags is not None:
        info.write_text(f'processor\t: 0\nflags\t\t: {flags}\n', encoding='utf-8')
    assert saturates(info, machine) is expected
