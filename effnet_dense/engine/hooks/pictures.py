"""Draw predictions beside the ground truth while a model is tested."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine import fileio
from mmengine.hooks import Hook
from mmengine.runner import Runner

from effnet_dense.data.bands import decode_for_drawing
from effnet_dense.engine.outputs import check_images, image_paths
from effnet_dense.evaluation.image_writing import drawing_names
from effnet_dense.registry import HOOKS
from effnet_dense.utils.output_names import portable_relative_names
from effnet_dense.utils.outputs import new_output


@HOOKS.register_module()
class PicturesHook(Hook):
    """Draw test images with the runner's visualizer: ground truth left, prediction right.

    Replaces mmdet's and mmseg's visualization hooks, which differ in file names and intervals.

    Args:
        folder: Folder for the drawings, which have the images' names and subfolders.
        count: Images to draw, evenly spread over the dataset; None for all.
        score_thr: Boxes and masks of a lower score are left out.
    """

    def __init__(
        self, folder: str | Path, count: int | None = None, score_thr: float = 0.3
    ) -> None:
        self.folder = Path(folder)
        self.count = count
        self.score_thr = score_thr
        self.names: dict[str, str] = {}

    def before_test(self, runner: Runner) -> None:
        """Name the drawings after the images' relative paths.

        Raises:
            FileExistsError, ValueError: They would replace other files.
        """
        dataset = runner.test_dataloader.dataset
        names = portable_relative_names(image_paths(dataset))
        drawings = drawing_names(names.values())
        self.names = {path: drawings[name] for path, name in names.items()}
        check_images([self.folder / name for name in self.names.values()], dataset)

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
            image = decode_for_drawing(fileio.get(sample.img_path))
            path = str(sample.img_path)
            name = self.names.get(path) or Path(path).name
            options: dict[str, Any] = {}
            if 'pred_instances' in sample:
                options['pred_score_thr'] = self.score_thr
            with new_output(self.folder / name, fsync=False) as out_file:
                runner.visualizer.add_datasample(
                    'test', image, data_sample=sample, out_file=str(out_file), **options
                )
