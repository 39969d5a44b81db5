"""Open exported files, each by its own runtime."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from effnet_dense.runtimes import (
    coreml_session,
    executorch_session,
    litert_session,
    onnx_session,
    openvino_session,
    torch_session,
)
from effnet_dense.runtimes.base import Session
from effnet_dense.runtimes.coreml_session import CoremlSession
from effnet_dense.runtimes.executorch_session import ExecutorchSession
from effnet_dense.runtimes.litert_session import LitertSession
from effnet_dense.runtimes.onnx_session import OnnxSession
from effnet_dense.runtimes.openvino_session import OpenvinoSession
from effnet_dense.runtimes.torch_session import TorchSession

ENDS = (openvino_session.SUFFIX, openvino_session.WEIGHTS)

SESSIONS: dict[str, Callable[[Path], Session]] = {
    onnx_session.SUFFIX: OnnxSession,
    openvino_session.SUFFIX: OpenvinoSession,
    litert_session.SUFFIX: LitertSession,
    executorch_session.SUFFIX: ExecutorchSession,
    coreml_session.SUFFIX: CoremlSession,
    torch_session.SUFFIX: TorchSession,
}
"""End of a file's name → what opens it."""


def is_exported(source: Any) -> bool:
    """Whether a source is an exported file: by its name, or a folder with an OpenVINO file."""
    if not isinstance(source, str | os.PathLike):
        return False
    path = Path(source)
    return path.name.lower().endswith(tuple(SESSIONS)) or _is_openvino(path)


def _is_openvino(path: Path) -> bool:
    """Whether a folder has a network with its weights, or half of what `export` writes.

    Or whether these are the weights of a network.
    """
    if not path.is_dir():
        network = path.with_suffix(openvino_session.SUFFIX)
        return path.suffix == openvino_session.WEIGHTS and network.is_file()
    files = path.glob(f'*{openvino_session.SUFFIX}')
    complete = any(file.with_suffix(openvino_session.WEIGHTS).is_file() for file in files)
    return complete or any((path / f'model{end}').is_file() for end in ENDS)


def open_session(path: str | os.PathLike[str]) -> Session:
    """Open an exported file.

    Raises:
        FileNotFoundError: There is no such file.
        ImportError: Its runtime is not installed.
        ValueError: It is damaged, or was not exported by this package.
    """
    path = Path(path)
    return SESSIONS.get(path.suffix.lower(), OpenvinoSession)(path)
