"""Write the predicted label maps of a test (`--out` with mmseg)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner
from PIL import Image

from effnet_dense.engine.outputs import check_images, image_paths
from effnet_dense.utils.output_names import (
    folders_of,
    portable_relative_names,
    replace_suffix,
)
from effnet_dense.utils.outputs import new_output


class LabelMapsHook(Hook):
    """Write label maps as mmseg's IoUMetric does, but under the images' relative paths.

    mmseg takes the images' bare names, so that a/1.png replaces b/1.png.

    Args:
        folder: Where the label maps go: PNG files of class indices, from 1 on where the data have
            `reduce_zero_label`.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.names: dict[str, str] = {}

    def before_test(self, runner: Runner) -> None:
        """Name the label maps.

        Raises:
            FileExistsError, ValueError: They would replace other files.
        """
        dataset = runner.test_dataloader.dataset
        images = portable_relative_names(image_paths(dataset))
        maps = replace_suffix(set(images.values()), '.png', folders_of(images.values()))
        self.names = {path: maps[name] for path, name in images.items()}
        check_images([self.folder / name for name in self.names.values()], dataset)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[Any] | None = None,
    ) -> None:
        """Write the batch's label maps."""
        for sample in outputs or ():
            labels = sample.pred_sem_seg.data.squeeze().cpu().numpy()
            if sample.get('reduce_zero_label', False):
                labels = labels + 1
            path = str(sample.img_path)
            name = self.names.get(path) or f'{Path(path).stem}.png'
            with new_output(self.folder / name, fsync=False) as file:
                Image.fromarray(labels.astype(np.uint8)).save(file)
