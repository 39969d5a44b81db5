"""Run LiteRT files (.tflite) by LiteRT.

Shapes: N images of H × W pixels.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from effnet_dense.runtimes.base import Outputs, Session
from effnet_dense.runtimes.inputs import IMAGES
from effnet_dense.runtimes.metadata import FOREIGN, KEY, Metadata

SUFFIX = '.tflite'
IDENTIFIER = b'TFL3'
"""Of the file format, in bytes 4 to 7."""


class LitertSession(Session):
    """See `Session`.

    The network takes and returns channels last; this class first. What follows the network, the
    choice of boxes and their suppression, is computed by NumPy.

    Args:
        path: The file.
        threads: By default the cores that this process may use.

    Raises:
        FileNotFoundError: There is no such file.
        ImportError: LiteRT is not installed.
        ValueError: The file is damaged, or was not exported by this package.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int | None = None) -> None:
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f'no LiteRT file {str(path)!r}')
        import_litert()
        content = path.read_bytes()
        try:
            self._runner: Any = litert_runner(content, threads)
            text = read_metadata(content)
        except (ValueError, RuntimeError, IndexError, struct.error) as error:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise ValueError(f'{path} is damaged or is not a LiteRT file: {reason:.200}') from error
        if text is None:
            raise ValueError(FOREIGN.format(path=path))
        self.metadata = Metadata.from_json(text, str(path))

    def _run(self, images: NDArray[np.float32], sizes: NDArray[np.float32]) -> Outputs:
        found: Outputs = self._runner(images)
        return found


def litert_runner(content: bytes, threads: int | None = None) -> Any:
    """Return a function: images (N, C, H, W) → outputs by name, of maps (N, D, h, w).

    Args:
        content: Of a file.
        threads: See `LitertSession`.

    Raises:
        ValueError: The file is damaged.
    """
    if content[4:8] != IDENTIFIER:
        raise ValueError(f'expected {IDENTIFIER!r} in bytes 4 to 7, got {content[4:8]!r}')
    interpreter = import_litert().Interpreter(
        model_content=content, num_threads=threads or len(os.sched_getaffinity(0))
    )
    runner = interpreter.get_signature_runner()

    def run(images: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        found = runner(**{IMAGES: np.ascontiguousarray(images.transpose(0, 2, 3, 1))})
        return {n: v.transpose(0, 3, 1, 2) if v.ndim == 4 else v for n, v in found.items()}

    return run


def read_metadata(content: bytes) -> str | None:
    """Return the text that a file has under `KEY`; None if it has none."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    for number in range(model.MetadataLength()):
        entry = model.Metadata(number)
        if entry.Name() == KEY.encode():
            return model.Buffers(entry.Buffer()).DataAsNumpy().tobytes().decode()
    return None


def import_litert() -> Any:
    """Import LiteRT's interpreter.

    Raises:
        ImportError: It is not installed.
    """
    try:
        from ai_edge_litert import interpreter
    except ImportError as error:
        raise ImportError(
            "LiteRT files need ai-edge-litert: pip install 'effnet_dense[litert]'"
        ) from error
    return interpreter
