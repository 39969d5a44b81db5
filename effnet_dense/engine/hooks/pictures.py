"""Draw predictions beside the ground truth while a model is tested."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mmcv
from mmengine import fileio
from mmengine.hooks import Hook
from mmengine.runner import Runner

from effnet_dense.registry import HOOKS


@HOOKS.register_module()
class PicturesHook(Hook):
    """Draw test images with the runner's visualizer: ground truth left, prediction right.

    Replaces mmdet's and mmseg's visualization hooks, which differ in file names and intervals.

    Args:
        folder: Folder for the drawings, which have the images' file names.
        count: Images to draw, evenly spread over the dataset; None for all.
        score_thr: Boxes and masks of a lower score are left out.
    """

    def __init__(
        self, folder: str | Path, count: int | None = None, score_thr: float = 0.3
    ) -> None:
        self.folder = Path(folder)
        self.count = count
        self.score_thr = score_thr

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[Any] | None = None,
    ) -> None:
        """Draw the batch if it is one of the evenly spread ones."""
        every = 1 if self.count is None else -(-len(runner.test_dataloader) // self.count)
        if batch_idx % every:
            return
        for sample in outputs or ():
            image = mmcv.imfrombytes(fileio.get(sample.img_path), channel_order='rgb')
            options: dict[str, Any] = {'out_file': str(self.folder / Path(sample.img_path).name)}
            if 'pred_instances' in sample:
                options['pred_score_thr'] = self.score_thr
            runner.visualizer.add_datasample('test', image, data_sample=sample, **options)
