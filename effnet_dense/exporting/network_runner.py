"""Run a network in memory.

Shapes: N images of H × W pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from effnet_dense.runtimes.inputs import IMAGES
from effnet_dense.runtimes.onnx_session import import_onnxruntime
from effnet_dense.runtimes.openvino_session import DEVICE, EXACT, import_openvino
from effnet_dense.runtimes.signal_stack import kept_signal_stack

Outputs = list[NDArray[Any]]


def runner(network: Any) -> Callable[[NDArray[np.float32]], Outputs]:
    """Return a function that computes a network's outputs of images (N, 3, H, W).

    Args:
        network: An ONNX model, for ONNX Runtime; or OpenVINO's own.
    """
    if isinstance(network, onnx.ModelProto):
        onnxruntime = import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(network.SerializeToString(), options)
        return lambda images: session.run(None, {IMAGES: images})
    with kept_signal_stack():
        compiled = import_openvino().compile_model(network, DEVICE, EXACT)
    return lambda images: [compiled({IMAGES: images})[value] for value in compiled.outputs]
