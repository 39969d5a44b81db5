"""Run .pte files by ExecuTorch, whose Python runtime needs PyTorch.

Shapes: N images of H × W pixels.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from effnet_dense.runtimes.base import Outputs, Session
from effnet_dense.runtimes.metadata import FOREIGN, KEY, Metadata

SUFFIX = '.pte'
METHOD = 'forward'


class ExecutorchSession(Session):
    """See `Session`.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: There is no such file.
        ImportError: ExecuTorch is not installed.
        ValueError: The file is damaged, or was not exported by this package.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f'no ExecuTorch file {str(path)!r}')
        runtime = import_executorch().Runtime.get()
        try:
            self._program = runtime.load_program(path)
        except Exception as error:
            raise ValueError(f'{path} is damaged or is not an ExecuTorch file: {error}') from error
        if not {KEY, METHOD} <= self._program.method_names:
            raise ValueError(FOREIGN.format(path=path))
        try:
            (text,) = self._program.load_method(KEY).execute(())
            self._method = self._program.load_method(METHOD)
        except Exception as error:
            raise ValueError(f'ExecuTorch cannot load {path}: {error}') from error
        self.metadata = Metadata.from_json(text.numpy().tobytes().decode(), str(path))

    def _run(self, images: NDArray[np.float32], sizes: NDArray[np.float32]) -> Outputs:
        import torch

        given = torch.from_numpy(np.ascontiguousarray(images))
        found = self._method.execute((given,))
        pairs = zip(self.metadata.outputs, found, strict=True)
        return {name: value.numpy() for name, value in pairs}


def import_executorch() -> Any:
    """Import ExecuTorch's runtime.

    Raises:
        ImportError: It is not installed.
    """
    try:
        import executorch.runtime
    except ImportError as error:
        raise ImportError(
            "ExecuTorch files need ExecuTorch: pip install 'effnet_dense[executorch]'"
        ) from error
    return executorch.runtime
