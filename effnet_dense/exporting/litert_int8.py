"""Quantise LiteRT's files by Google's AI Edge Quantizer.

Weights are 8 bits with one scale per output channel, activations 8 bits. The last layers have
outputs in float32, because rounded box edges cost AP75; so has what follows them, i.e. decoding and
the joining of levels.

Shapes: N images of H × W pixels.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Callable, Collection, Iterable
from contextlib import redirect_stderr
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from effnet_dense.exporting.litert_file import NEEDED
from effnet_dense.exporting.raw_outputs import mean_difference
from effnet_dense.runtimes.inputs import IMAGES
from effnet_dense.runtimes.litert_session import litert_runner

LAYERS = ('CONV_2D', 'DEPTHWISE_CONV_2D', 'FULLY_CONNECTED', 'TRANSPOSE_CONV')
COMPARED = 4
"""Images on which layers are compared."""
SIGNATURE = 'serving_default'
ALL = '.*'
BITS: dict[str, int] = dict(activation_num_bits=8, weight_num_bits=8)
AT_ONCE = 32
"""Images that are in memory."""


class Operator(NamedTuple):
    """An operator of a file: its type, its name for the quantiser, its inputs and outputs."""

    kind: str
    name: str
    inputs: list[int]
    outputs: list[int]


class LitertQuantiser:
    """See `exporting.maker.Quantiser`.

    Args:
        network: The content of a file in float32.
        images: (1, C, H, W) each, from which ranges are measured.
        batch: N, the images that the network takes.

    Raises:
        ImportError: The quantiser is not installed.
    """

    def __init__(
        self, network: bytes, images: Iterable[NDArray[np.float32]], batch: int = 1
    ) -> None:
        self._network = network
        self._batch = batch
        self._images = images
        self._operators = operators(network)
        self._ranges: Any = None

    def layers(self) -> list[str]:
        names = [operator.name for operator in self._operators if operator.kind in LAYERS]
        images = [self._repeated(image) for image in itertools.islice(self._images, COMPARED)]
        run = listed(self._network)
        expected = [run(image) for image in images]
        errors = {}
        for name in names:
            run = listed(self._quantise([name]))
            pairs = zip(images, expected, strict=True)
            errors[name] = sum(mean_difference(run(image), known) for image, known in pairs)
        return sorted(names, key=lambda name: -errors[name])

    def quantised(self, kept: Collection[str]) -> bytes:
        after = {operator.name for operator in after_layers(self._operators)}
        chosen = [o.name for o in self._operators if o.name not in after and o.name not in kept]
        return self._quantise(chosen)

    def joined(self, network: bytes, tail: None) -> bytes:
        return network

    def _quantise(self, names: Collection[str]) -> bytes:
        """Return the network with the operators of these names in 8 bits."""
        if self._ranges is None:
            self._ranges = self._measured()
        quantiser = import_quantizer().Quantizer(bytearray(self._network))
        last = {operator.name for operator in last_layers(self._operators)}
        for name in names:
            pattern = f'^{re.escape(name)}$'
            if name in last:
                quantiser.add_dynamic_config(pattern, '*', num_bits=8)
            else:
                quantiser.add_static_config(pattern, '*', **BITS)
        return _result(quantiser, self._ranges)

    def _measured(self) -> Any:
        """Return the ranges of all values, some images at a time."""
        quantiser = import_quantizer().Quantizer(bytearray(self._network))
        quantiser.add_static_config(ALL, '*', **BITS)
        ranges, images = None, iter(self._images)
        while part := list(itertools.islice(images, AT_ONCE)):
            moved = [self._repeated(image).transpose(0, 2, 3, 1) for image in part]
            samples = [{IMAGES: np.ascontiguousarray(image)} for image in moved]
            with redirect_stderr(io.StringIO()):  # its bar of progress
                ranges = quantiser.calibrate({SIGNATURE: samples}, ranges, num_threads=1)
        return ranges

    def _repeated(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        return image.repeat(self._batch, 0)


def in_float16(network: bytes) -> bytes:
    """Return a file with weights in float16, which are converted back when it is loaded."""
    types = import_quantizer().qtyping
    quantizer = import_quantizer().Quantizer(bytearray(network))
    config = types.OpQuantizationConfig(
        weight_tensor_config=types.TensorQuantizationConfig(
            num_bits=16, dtype=types.TensorDataType.FLOAT
        ),
        compute_precision=types.ComputePrecision.FLOAT,
        explicit_dequantize=True,
    )
    for kind in ('CONV_2D', 'DEPTHWISE_CONV_2D', 'FULLY_CONNECTED', 'CONV_2D_TRANSPOSE'):
        quantizer.update_quantization_recipe(ALL, kind, config, 'float_casting')
    return _result(quantizer)


def in_int8(network: bytes) -> bytes:
    """Return a file with weights in int8, which are converted back at each run."""
    quantizer = import_quantizer().Quantizer(bytearray(network))
    quantizer.add_weight_only_config(ALL, '*', num_bits=8)
    return _result(quantizer)


STORED: dict[str, Callable[[bytes], bytes]] = {'fp16': in_float16, 'int8-weights': in_int8}
"""Precision → what stores weights so."""


def operators(network: bytes) -> list[Operator]:
    """Return a file's operators in the order of their execution."""
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(network)
    graph = model.subgraphs[0]
    return [
        Operator(
            flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex),
            ''.join(f'{graph.tensors[index].name.decode()};' for index in operator.outputs),
            list(operator.inputs),
            list(operator.outputs),
        )
        for operator in graph.operators
    ]


def after_layers(graph: Collection[Operator]) -> list[Operator]:
    """Return the operators whose results no layer takes, nor any operator before one."""
    needed: set[int] = set()
    after = []
    for operator in reversed(list(graph)):
        if operator.kind in LAYERS or needed.intersection(operator.outputs):
            needed.update(operator.inputs)
        else:
            after.append(operator)
    return after


def last_layers(graph: Collection[Operator]) -> list[Operator]:
    """Return the layers whose results no other layer takes, directly or by other operators."""
    needed: set[int] = set()
    last = []
    for operator in reversed(list(graph)):
        if operator.kind in LAYERS and not needed.intersection(operator.outputs):
            last.append(operator)
        if operator.kind in LAYERS or needed.intersection(operator.outputs):
            needed.update(operator.inputs)
    return last


def import_quantizer() -> Any:
    """Import the quantiser.

    Raises:
        ImportError: It is not installed.
    """
    try:
        from ai_edge_quantizer import qtyping, quantizer
    except ImportError as error:
        raise ImportError(NEEDED) from error
    quantizer.qtyping = qtyping
    return quantizer


def _result(quantizer: Any, ranges: Any = None) -> bytes:
    """Run a quantiser."""
    found = quantizer.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
    return bytes(found.quantized_model)


def listed(network: bytes) -> Callable[[NDArray[np.float32]], list[NDArray[Any]]]:
    """Return a function that gives a file's outputs in the order of their names."""
    run = litert_runner(network)

    def in_order(images: NDArray[np.float32]) -> list[NDArray[Any]]:
        found = run(images)
        return [found[name] for name in sorted(found)]

    return in_order
