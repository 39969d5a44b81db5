"""Quantise ONNX networks by ONNX Runtime, in its QDQ form.

Activations are 8 bits without sign, weights 8 bits with sign and one scale per output channel.
Sigmoids and products, i.e. SiLU and squeeze-and-excitation, stay in float32.
"""

from __future__ import annotations

import itertools
import logging
import platform
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from mmengine.logging import print_log
from numpy.typing import NDArray

from effnet_dense.exporting.bias_correction import Means, channel_means, correct_biases
from effnet_dense.exporting.network_runner import runner
from effnet_dense.exporting.onnx_file import Parts
from effnet_dense.exporting.raw_outputs import mean_difference
from effnet_dense.exporting.shared_weights import share_weights
from effnet_dense.exporting.suppression import IR_VERSION
from effnet_dense.runtimes.inputs import IMAGES

LAYERS = ('Conv', 'Gemm', 'MatMul')
QUANTISED = (*LAYERS, 'Add', 'Clip', 'Relu', 'MaxPool', 'GlobalAveragePool', 'Concat', 'Resize')
MOVES = ('Reshape', 'Transpose', 'Concat', 'Resize', 'ArgMax', 'Flatten', 'Squeeze', 'Identity')
"""Operators between the last layers and the outputs, at which outputs are not rounded."""
COMPARED = 4
"""Images on which layers are compared."""
CPU_INFO = Path('/proc/cpuinfo')
DOT_PRODUCTS = {'avx512_vnni', 'avx_vnni', 'amx_int8'}
X86 = ('x86_64', 'amd64', 'i686')


class OnnxQuantiser:
    """See `exporting.maker.Quantiser`.

    Args:
        network: Images → raw outputs.
        images: (1, C, H, W) each.
    """

    def __init__(self, network: onnx.ModelProto, images: Iterable[NDArray[np.float32]]) -> None:
        self._images = images
        self._folder = TemporaryDirectory(prefix='effnet_dense-int8-')
        self._float32 = folded_by_runtime(network)
        self._means: Means | None = None
        self._reduced = saturates()
        if self._reduced:
            print_log(
                'weights have 7 bits: sums of 8-bit products saturate on this CPU, which has no '
                'VNNI',
                logger='current',
            )

    def layers(self) -> list[str]:
        names = [node.name for node in self._float32.graph.node if node.op_type in LAYERS]
        images = list(itertools.islice(self._images, COMPARED))
        run = runner(self._float32)
        expected = [run(image) for image in images]
        errors = {}
        for name in names:
            others = [other for other in names if other != name]
            run = runner(self._quantise(others, nodes_to_quantize=[name]))
            pairs = zip(images, expected, strict=True)
            errors[name] = sum(mean_difference(run(image), known) for image, known in pairs)
        return sorted(names, key=lambda name: -errors[name])

    def quantised(self, kept: Collection[str]) -> onnx.ModelProto:
        return self._quantise(kept, nodes_to_exclude=list(kept))

    def joined(self, network: onnx.ModelProto, tail: onnx.ModelProto | None) -> onnx.ModelProto:
        return Parts(network, tail).joined()

    def _quantise(self, kept: Collection[str], **choice: Any) -> onnx.ModelProto:
        if self._means is None:
            self._by_onnxruntime(self._float32)  # measures the ranges
            self._means = channel_means(self._float32, self._images)
        largest = 64 if self._reduced else 127  # as ONNX Runtime rounds
        corrected = correct_biases(self._float32, self._means, kept, largest)
        model = self._by_onnxruntime(corrected, **choice)
        free_outputs(model)
        _clean(model)
        share_weights(model)
        return model

    def _by_onnxruntime(self, network: onnx.ModelProto, **choice: Any) -> onnx.ModelProto:
        """Quantise, with the ranges that were measured by the first call."""
        from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

        source, out = Path(self._folder.name, 'float32.onnx'), Path(self._folder.name, 'int8.onnx')
        onnx.save(network, str(source))
        ranges = Path(self._folder.name, 'ranges.json')
        root = logging.getLogger()
        level = root.level
        root.setLevel(logging.ERROR)  # it advises on the root logger
        try:
            quantize_static(
                str(source),
                str(out),
                None if ranges.is_file() else _Reader(iter(self._images)),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(QUANTISED),
                per_channel=True,
                reduce_range=self._reduced,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibration_cache_path=ranges,
                **choice,
            )
        finally:
            root.setLevel(level)
        return onnx.load(str(out))


def folded_by_runtime(network: onnx.ModelProto) -> onnx.ModelProto:
    """Copy a network with products and sums folded into convolutions, and its shapes inferred."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with TemporaryDirectory(prefix='effnet_dense-fold-') as folder:
        before, after = Path(folder, 'before.onnx'), Path(folder, 'after.onnx')
        onnx.save(network, str(before))
        quant_pre_process(str(before), str(after), skip_symbolic_shape=True)
        return onnx.load(str(after))


class _Reader:
    """Gives ONNX Runtime one image after the other."""

    def __init__(self, images: Iterator[NDArray[np.float32]]) -> None:
        self._images = images

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        image = next(self._images, None)
        return None if image is None else {IMAGES: image}


def saturates(info: Path = CPU_INFO, machine: str | None = None) -> bool:
    """Whether sums of two 8-bit products can exceed the 16 bits of this CPU's instruction.

    So on x86 without VNNI. Where nothing is known of an x86 CPU, it is taken to be so.
    """
    if (machine or platform.machine()).lower() not in X86:
        return False
    try:
        text = info.read_text(encoding='utf-8')
    except OSError:
        return True
    flags = next((line for line in text.splitlines() if line.startswith('flags')), '')
    return not DOT_PRODUCTS & set(flags.split())


def free_outputs(model: onnx.ModelProto) -> None:
    """Remove the rounding to 8 bits between the last layers and the outputs."""
    graph = model.graph
    producers = {name: node for node in graph.node for name in node.output}
    known: dict[str, str] = {}

    def unrounded(name: str) -> str:
        """Return the value that has not been rounded, for one that may have been."""
        if name in known:
            return known[name]
        node = producers.get(name)
        known[name] = name
        if node is None:
            return name
        if node.op_type == 'DequantizeLinear':
            rounded = producers.get(node.input[0])
            if rounded is not None and rounded.op_type == 'QuantizeLinear':
                known[name] = unrounded(rounded.input[0])
        elif node.op_type in MOVES:
            for index, given in enumerate(node.input):
                node.input[index] = unrounded(given)
        return known[name]

    for value in graph.output:
        found = unrounded(value.name)
        if found != value.name:
            node = producers[value.name]
            node.CopyFrom(onnx.helper.make_node('Identity', [found], [value.name], node.name))


def _clean(model: onnx.ModelProto) -> None:
    """Drop nodes and constants without use, and operator sets that ONNX Runtime adds."""
    graph = model.graph
    while True:
        used = {name for node in graph.node for name in node.input}
        used |= {value.name for value in graph.output}
        kept = [node for node in graph.node if used & set(node.output)]
        if len(kept) == len(graph.node):
            break
        del graph.node[:]
        graph.node.extend(kept)
    tensors = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(tensors)
    del graph.value_info[:], model.metadata_props[:]
    domains = {node.domain for node in graph.node} | {''}
    imports = [entry for entry in model.opset_import if entry.domain in domains]
    del model.opset_import[:]
    model.opset_import.extend(imports)
    model.ir_version = IR_VERSION
