"""OpenVINO's files, converted from ONNX models; see `maker.Maker`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray

from effnet_dense.exporting import network_runner
from effnet_dense.exporting.maker import Images
from effnet_dense.exporting.network_runner import Outputs
from effnet_dense.exporting.onnx_file import Parts
from effnet_dense.exporting.onnx_format import ANY_BATCH as ANY_BATCH
from effnet_dense.exporting.onnx_format import POSTS as POSTS
from effnet_dense.exporting.onnx_format import check_converter
from effnet_dense.exporting.onnx_format import stored as stored
from effnet_dense.exporting.onnx_format import trace as trace
from effnet_dense.exporting.openvino_file import save_openvino, to_openvino
from effnet_dense.exporting.openvino_int8 import OpenvinoQuantiser, import_nncf
from effnet_dense.runtimes import onnx_session
from effnet_dense.runtimes.metadata import Metadata
from effnet_dense.runtimes.onnx_session import import_onnxruntime
from effnet_dense.runtimes.openvino_session import SUFFIX, WEIGHTS, import_openvino


def check(path: Path, precision: str) -> None:
    if path.suffix in (onnx_session.SUFFIX, SUFFIX, WEIGHTS):
        raise ValueError(
            f'expected out to be the name of a folder, such as model_openvino, got {str(path)!r}'
        )
    import_openvino()
    check_converter('openvino')
    if precision == 'int8':
        import_nncf()
        import_onnxruntime()


def runner(network: onnx.ModelProto) -> Callable[[NDArray[Any]], Outputs]:
    return network_runner.runner(to_openvino(network))


def quantiser(parts: Parts, images: Images) -> OpenvinoQuantiser:
    return OpenvinoQuantiser(parts.network, images)


def save(model: Any, metadata: Metadata, path: Path) -> None:
    path.mkdir()
    own = to_openvino(model) if isinstance(model, onnx.ModelProto) else model
    save_openvino(own, metadata, path)
