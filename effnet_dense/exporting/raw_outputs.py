"""Run a network in memory, and compare its outputs with those of another precision.

Shapes: N images of H × W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from effnet_dense.runtimes.inputs import IMAGES
from effnet_dense.runtimes.onnx_session import import_onnxruntime
from effnet_dense.runtimes.openvino_session import DEVICE, EXACT, import_openvino

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
    compiled = import_openvino().compile_model(network, DEVICE, EXACT)
    return lambda images: [compiled({IMAGES: images})[value] for value in compiled.outputs]


def largest_difference(found: Sequence[Any], expected: Sequence[Any]) -> float:
    """Return the largest difference of two networks' outputs, relative to the largest value.

    Of whole numbers, such as label maps, the share that differs.
    """
    return max(_largest(a, b) for a, b in zip(found, expected, strict=True))


def mean_difference(found: Sequence[Any], expected: Sequence[Any]) -> float:
    """Return the root of the mean squared difference, relative to the outputs' own, averaged."""
    parts = [_relative(a, b) for a, b in zip(found, expected, strict=True)]
    return float(np.mean(parts))


def _largest(found: NDArray[Any], expected: NDArray[Any]) -> float:
    if not np.issubdtype(expected.dtype, np.floating):
        return float(np.mean(found != expected))
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-12))


def _relative(found: NDArray[Any], expected: NDArray[Any]) -> float:
    if not np.issubdtype(expected.dtype, np.floating):
        return float(np.mean(found != expected))
    return float(np.sqrt(np.mean((found - expected) ** 2) / max(np.mean(expected**2), 1e-24)))
