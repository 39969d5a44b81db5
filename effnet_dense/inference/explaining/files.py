"""Explain the predictions on files and folders of images, and write a drawing of each."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from mmengine.logging import print_log

from effnet_dense.engine.input_channels import RGB
from effnet_dense.evaluation.captions import ImageArray
from effnet_dense.evaluation.image_writing import drawing_names, write_image
from effnet_dense.inference.drawer import Drawer
from effnet_dense.inference.explaining.explainer import Explainer, Explanation
from effnet_dense.inference.explaining.panels import draw_heat, in_a_row, tiled
from effnet_dense.inference.infer import BAD_FILE, DISK_FAILS
from effnet_dense.inference.inputs import Input, find_inputs
from effnet_dense.inference.predictor import BadOutputsError
from effnet_dense.utils.console import one_line
from effnet_dense.utils.output_folders import check_folder
from effnet_dense.utils.outputs import check_free, check_not_read
from effnet_dense.utils.progress import progress_bar
from effnet_dense.utils.run_lock import PREDICTION, locked


def explain_files(
    explainer: Explainer,
    sources: Sequence[str | Path],
    out: str | Path,
    top: int = 3,
    score_thr: float = 0.3,
) -> list[str]:
    """Write a drawing of each image: its prediction, and the maps of the first objects.

    Args:
        explainer: Computes the maps.
        sources: Images and folders; videos are left out.
        out: The folder for the drawings, which have the images' names.
        top: See `Explainer.explain`.
        score_thr: Objects with lower scores are neither drawn nor explained.

    Returns:
        A line for each file that was skipped.

    Raises:
        FileNotFoundError: A source does not exist.
        FileExistsError: A drawing has the name of a file that the package did not write, or another
            process predicts into the folder.
        OSError: `out` cannot be written.
        ValueError: A drawing would replace an input.
    """
    check_folder(out)
    lines: list[str] = []
    more = () if explainer.predictor.channels == RGB else ('.npy',)
    inputs = find_inputs(sources, out, lines.append, print_log, more)
    lines += [f'{item.path} is a video: explain takes images' for item in inputs if item.is_video]
    images = [item for item in inputs if not item.is_video]
    names = drawing_names([item.name for item in images])
    targets = [Path(out) / name for name in names.values()]
    check_not_read(targets, [item.path for item in images])
    check_free(targets)
    drawer = Drawer(explainer.predictor.config, explainer.predictor.dataset_meta)
    with locked(out, PREDICTION), progress_bar() as progress:
        for item in progress.track(images, description='images'):
            try:
                drawn = _drawn(explainer, drawer, item, top, score_thr)
                write_image(Path(out) / names[item.name], drawn)
            except BadOutputsError:
                raise
            except BAD_FILE as error:
                if isinstance(error, OSError) and error.errno in DISK_FAILS:
                    raise
                lines.append(f'cannot explain {item.path}: {error}')
    for line in lines:
        print_log(f'skipped: {one_line(line)}', logger='current', level=logging.WARNING)
    return lines


def draw_maps(image: ImageArray, found: Sequence[Explanation]) -> ImageArray | None:
    """Return an image's maps (H, W, 3) in a row, BGR; None without any.

    Args:
        image: (H, W, C), BGR if C is 3.
        found: From `Explainer`.
    """
    return in_a_row([draw_heat(image, each) for each in found]) if found else None


def _drawn(
    explainer: Explainer, drawer: Drawer, item: Input, top: int, score_thr: float
) -> ImageArray:
    """Return an image's drawing."""
    image = explainer.predictor.read(item.path)
    sample, found = explainer(image, top, score_thr)
    panels = [drawer(image, sample, score_thr), *(draw_heat(image, each) for each in found)]
    return tiled(panels)
