"""Quantise OpenVINO networks by NNCF."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

import onnx

from effnet_dense.exporting.maker import Images
from effnet_dense.exporting.onnx_int8 import OnnxQuantiser, folded_by_runtime
from effnet_dense.exporting.openvino_file import to_openvino
from effnet_dense.exporting.shared_weights import SharedWeights
from effnet_dense.runtimes.inputs import IMAGES
from effnet_dense.runtimes.openvino_session import import_openvino
from effnet_dense.runtimes.signal_stack import kept_signal_stack

WITHOUT_BIAS = '/WithoutBiases'
"""What OpenVINO adds to the name of a convolution whose sum with the bias has the name."""


class OpenvinoQuantiser:
    """See `exporting.maker.Quantiser`. Layers are compared by ONNX Runtime.

    Args:
        network: Images → raw outputs, in ONNX.
        images: From which ranges are measured.

    Raises:
        ImportError: NNCF is not installed.
    """

    def __init__(self, network: onnx.ModelProto, images: Images) -> None:
        self._nncf = import_nncf()
        self._network = folded_by_runtime(network)
        self._images = images

    def layers(self) -> list[str]:
        return OnnxQuantiser(self._network, self._images).layers()

    def quantised(self, kept: Collection[str]) -> Any:
        nncf = self._nncf
        parameters = nncf.quantization.advanced_parameters.QuantizationParameters
        model = to_openvino(self._network, fused=True)
        present = {node.get_friendly_name() for node in model.get_ops()}
        ignored = [f'{name}{end}' for name in kept for end in (WITHOUT_BIAS, '')]
        chosen = nncf.IgnoredScope(names=[name for name in ignored if name in present])
        with kept_signal_stack():
            quantised = nncf.quantize(
                model,
                nncf.Dataset(self._images, lambda image: {IMAGES: image}),
                preset=nncf.QuantizationPreset.MIXED,
                target_device=nncf.TargetDevice.CPU,
                subset_size=len(self._images),
                ignored_scope=chosen if kept else None,
                # A range for each channel before depthwise convolutions makes the file larger, and
                # AP and mIoU no better.
                advanced_parameters=nncf.AdvancedQuantizationParameters(
                    activations_quantization_params=parameters(per_channel=False)
                ),
            )
        _share_constants(quantised)
        return quantised

    def joined(self, network: Any, tail: onnx.ModelProto | None) -> Any:
        if tail is None:
            return network
        second = to_openvino(tail)
        inputs = list(network.get_parameters())
        sources = {value.get_any_name(): value for value in network.inputs}
        for value in network.outputs:
            sources[value.get_any_name()] = value.get_node().input_value(0)
        for parameter in second.get_parameters():
            name = parameter.output(0).get_any_name()
            if name not in sources:
                inputs.append(parameter)
                continue
            for target in parameter.output(0).get_target_inputs():
                target.replace_source_output(sources[name])
        taken = {value.get_any_name() for value in second.inputs}
        others = [
            result
            for result in network.get_results()
            if result.output(0).get_any_name() not in taken
        ]
        return import_openvino().Model([*second.get_results(), *others], inputs)


def _share_constants(model: Any) -> None:
    """Keep one of equal constants, and of weights that are alike (`shared_weights`), in place.

    NNCF writes four limits for each activation, of which two are the others again.
    """
    weights = SharedWeights()
    known: dict[tuple[Any, ...], Any] = {}
    for node in model.get_ops():
        if node.get_type_name() == 'Constant':
            key = (node.get_element_type().to_string(), tuple(node.shape), node.data.tobytes())
            same = known.setdefault(key, weights.earlier(node, node.data) or node)
            if same is not node:
                node.output(0).replace(same.output(0))


def import_nncf() -> Any:
    """Import NNCF.

    Raises:
        ImportError: It is not installed.
    """
    os.environ.setdefault('NNCF_CI', '1')  # else it reports its use to its makers
    try:
        import nncf
    except ImportError as error:
        raise ImportError(
            "int8 for OpenVINO needs NNCF: pip install 'effnet_dense[openvino]'"
        ) from error
    nncf.set_log_level(30)
    return nncf
