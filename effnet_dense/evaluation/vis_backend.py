"""Write a run's curves, images and config as mmengine does, but replace no files of others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
from mmengine.config import Config
from mmengine.fileio import dump
from mmengine.visualization import LocalVisBackend
from mmengine.visualization.vis_backend import force_init_env

from effnet_dense.evaluation.captions import ImageArray
from effnet_dense.evaluation.image_writing import write_image
from effnet_dense.utils.atomic import write_all
from effnet_dense.utils.outputs import claim, new_output


class LocalBackend(LocalVisBackend):
    """mmengine's backend, with the same arguments, files and content.

    Images and the config are written atomically. A folder that was deleted during a run is made
    again, and a line that a full disk cuts is removed.
    """

    @force_init_env
    def add_config(self, config: Config, **kwargs: Any) -> None:
        """Write the config.

        Raises:
            FileExistsError: The package did not write the file that has this name.
        """
        with new_output(self._config_save_file) as partial:
            config.dump(str(partial))

    @force_init_env
    def add_image(self, name: str, image: ImageArray, step: int = 0, **kwargs: Any) -> None:
        """Write an image (H, W, 3), RGB.

        Raises:
            FileExistsError: The package did not write the file that has this name.
        """
        path = Path(self._img_save_dir, f'{name}_{step}.png')
        write_image(path, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

    def _dump(self, value_dict: dict[str, Any], file_path: str, file_format: str) -> None:
        """Append a line to a file of curves.

        Raises:
            FileExistsError: The package did not write the file that has this name.
            OSError: The disk is full, for example; the file is as before.
        """
        line = dump(value_dict, file_format=file_format) + '\n'
        handle = os.open(claim(file_path), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            size = os.fstat(handle).st_size
            try:
                write_all(handle, line.encode(), file_path)
            except OSError:
                os.ftruncate(handle, size)
                raise
        finally:
            os.close(handle)
