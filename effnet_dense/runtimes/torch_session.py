"""Run .pt2 files, programs of torch.export, by PyTorch itself.

Shapes: N images of H × W pixels.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from effnet_dense.runtimes.base import Outputs, Session
from effnet_dense.runtimes.metadata import FOREIGN, Metadata
from effnet_dense.runtimes.pt2_archive import checked_metadata

SUFFIX = '.pt2'


class TorchSession(Session):
    """See `Session`.

    Args:
        path: The file.
        device: By default CUDA's if there is one, else the CPU.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, or was not exported by this package.
    """

    def __init__(self, path: str | os.PathLike[str], device: str | None = None) -> None:
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f'no .pt2 file {str(path)!r}')
        content = path.read_bytes()
        try:
            text = checked_metadata(content)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f'{path} is damaged or was not written by effnet-dense export: {error}'
            ) from error
        if text is None:
            raise ValueError(FOREIGN.format(path=path))
        self.metadata = Metadata.from_json(text, str(path))
        self._device = device or chosen_device()
        try:
            self._module = loaded(content, self._device)
        except Exception as error:  # whatever torch.export raises
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise ValueError(f'{path} is damaged, or of another PyTorch: {reason:.200}') from error

    def _run(self, images: NDArray[np.float32], sizes: NDArray[np.float32]) -> Outputs:
        import torch

        with torch.no_grad():
            found = self._module(torch.from_numpy(images).to(self._device))
        found = (found,) if isinstance(found, torch.Tensor) else found
        return {
            name: value.cpu().numpy()
            for name, value in zip(self.metadata.outputs, found, strict=True)
        }


def chosen_device() -> str:
    """Return the device on which files run by default."""
    import torch

    return 'cuda' if torch.cuda.is_available() else 'cpu'


def loaded(content: bytes, device: str) -> Any:
    """Return the program of a file, which `checked_metadata` has accepted, as a module.

    It is read without torch.export.load, which reads files that fail once more, in an older layout.
    """
    from torch.export.passes import move_to_device_pass
    from torch.export.pt2_archive._package import load_pt2

    program = load_pt2(io.BytesIO(content)).exported_programs['model']
    return move_to_device_pass(program, device).module()
