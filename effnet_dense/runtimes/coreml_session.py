"""Run CoreML's .mlpackage folders by coremltools, on macOS only. Untested: tests run on Linux.

Shapes: N images of H × W pixels.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from effnet_dense.runtimes.base import Outputs, Session
from effnet_dense.runtimes.inputs import IMAGES
from effnet_dense.runtimes.metadata import FOREIGN, KEY, Metadata

SUFFIX = '.mlpackage'
SYSTEM = 'darwin'


class CoremlSession(Session):
    """See `Session`.

    Args:
        path: The folder.

    Raises:
        FileNotFoundError: There is no such folder.
        ImportError: This is not macOS, or coremltools is not installed.
        ValueError: The file is damaged, or was not exported by this package.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        path = Path(path)
        if not path.is_dir():
            raise FileNotFoundError(f'no CoreML folder {str(path)!r}')
        if sys.platform != SYSTEM:
            raise ImportError(f'{path} runs on macOS only, by CoreML; this is {sys.platform}')
        tools = import_coremltools()
        try:
            self._model = tools.models.MLModel(str(path))
        except Exception as error:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise ValueError(f'{path} is damaged or is not a CoreML file: {reason:.200}') from error
        if KEY not in self._model.user_defined_metadata:
            raise ValueError(FOREIGN.format(path=path))
        text = self._model.user_defined_metadata[KEY]
        self.metadata = Metadata.from_json(text, str(path))

    def _run(self, images: NDArray[np.float32], sizes: NDArray[np.float32]) -> Outputs:
        found = self._model.predict({IMAGES: images})
        return {name: np.asarray(found[name]) for name in self.metadata.outputs}


def import_coremltools() -> Any:
    """Import coremltools.

    Raises:
        ImportError: It is not installed.
    """
    logger = logging.getLogger('coremltools')
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # it warns of all that it lacks and of untested versions
    try:
        import coremltools
    except ImportError as error:
        raise ImportError(
            "CoreML files need coremltools: pip install 'effnet_dense[coreml]'"
        ) from error
    finally:
        logger.setLevel(level)
    return coremltools
