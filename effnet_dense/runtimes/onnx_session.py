"""Run ONNX files by ONNX Runtime.

Shapes: N images of H × W pixels.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from effnet_dense.runtimes.base import Outputs, Session
from effnet_dense.runtimes.inputs import IMAGES, SIZES
from effnet_dense.runtimes.metadata import FOREIGN, KEY, Metadata

SUFFIX = '.onnx'
PROVIDERS = ('CUDAExecutionProvider', 'CPUExecutionProvider')


class OnnxSession(Session):
    """See `Session`.

    Args:
        path: The file.
        providers: ONNX Runtime's, the preferred first; by default CUDA where it is installed for
            it, else the CPU.
        threads: Of one operator; by default ONNX Runtime's choice.

    Raises:
        FileNotFoundError: There is no such file.
        ImportError: ONNX Runtime is not installed.
        ValueError: The file is damaged, or was not exported by this package.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        providers: list[str] | None = None,
        threads: int | None = None,
    ) -> None:
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f'no ONNX file {str(path)!r}')
        runtime = import_onnxruntime()
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        if threads:
            options.intra_op_num_threads = threads
        try:
            self._session: Any = runtime.InferenceSession(
                str(path), options, providers=providers or _preferred(runtime)
            )
        except Exception as error:
            # [ONNXRuntimeError] : number : NAME : Load model from path failed:reason
            reason = str(error).strip().splitlines()[0].rpartition('failed:')[2]
            raise ValueError(f'{path} is damaged or is not an ONNX file: {reason:.200}') from error
        found = self._session.get_modelmeta().custom_metadata_map
        if KEY not in found:
            raise ValueError(FOREIGN.format(path=path))
        self.metadata = Metadata.from_json(found[KEY], str(path))
        self._inputs = {value.name for value in self._session.get_inputs()}
        self._outputs = [value.name for value in self._session.get_outputs()]

    def _run(self, images: NDArray[np.float32], sizes: NDArray[np.float32]) -> Outputs:
        given = {IMAGES: images, SIZES: sizes}
        found = self._session.run(
            self._outputs, {name: given[name] for name in given if name in self._inputs}
        )
        return dict(zip(self._outputs, found, strict=True))


def _preferred(runtime: Any) -> list[str]:
    available = runtime.get_available_providers()
    return [name for name in PROVIDERS if name in available]


def import_onnxruntime() -> Any:
    """Import ONNX Runtime.

    Raises:
        ImportError: It is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            "ONNX files need ONNX Runtime: pip install 'effnet_dense[onnx]'"
        ) from error
    return onnxruntime
