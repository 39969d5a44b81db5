"""Let ONNX Runtime take over from PyTorch on a CPU, once enough images make a conversion pay."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

from effnet_dense.inference.converted import PYTORCH, converted, padding_multiple, pads_alike
from effnet_dense.runtimes.session import Session

PAYS_AFTER = 300
"""Images. An export took 15 to 60 s on two cores, minutes on a busy machine, and ONNX Runtime saved
30 to 110 ms an image of EfficientDet-D0 and 40 to 350 ms of a segmentor: it pays after 150 to 500
images."""
RUNTIME, NEEDED = 'onnxruntime', ('onnxruntime', 'onnxscript')


class Conversion:
    """Counts the images and tiles that PyTorch predicts; converts the checkpoint once, or never.

    Args:
        config: The model's.
        checkpoint: A local file.
    """

    def __init__(self, config: Config, checkpoint: Path) -> None:
        self._config, self._checkpoint = config, checkpoint
        possible = all(map(find_spec, NEEDED)) and padding_multiple(config) is not None
        self._left: int | None = PAYS_AFTER if possible and 'roi_head' not in config.model else None

    def before(self, images: int) -> Session | None:
        """Count images; return the file that is to predict them and the next ones, once."""
        if self._left is None:
            return None
        if self._left > 0:
            self._left -= images
            return None
        self._left = None
        return self._converted()

    def _converted(self) -> Session | None:
        name = self._checkpoint.name
        print_log(
            f'PyTorch has predicted {PAYS_AFTER} images or tiles on the CPU: {name} is converted '
            f"for {RUNTIME}, which is faster (runtime='{PYTORCH}' converts nothing)",
            logger='current',
        )
        try:
            session = converted(self._config, self._checkpoint, RUNTIME)
        except (ImportError, OSError, ValueError) as error:
            reason = str(error)
        else:
            if pads_alike(self._config, session.metadata):
                return session
            reason = 'the file pads images to another size, with other results'
        print_log(f'{name} stays with PyTorch: {reason}', 'current', logging.WARNING)
        return None
