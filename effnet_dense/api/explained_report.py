"""Explain the best and the worst images of a report, as `effnet-dense explain RUN` does."""

from __future__ import annotations

import logging
from pathlib import Path

from mmengine.logging import print_log

from effnet_dense.inference.explaining.explainer import Explainer
from effnet_dense.inference.explaining.files import draw_maps
from effnet_dense.report.explained import shown_images, write_maps
from effnet_dense.report.page import write_page
from effnet_dense.utils.console import one_line
from effnet_dense.utils.progress import progress_bar


def explain_report(
    explainer: Explainer, work_dir: str | Path, top: int = 3, score_thr: float = 0.3
) -> Path:
    """Add maps to the best and the worst images of a work folder's report.

    Args:
        explainer: Of the model that was evaluated.
        work_dir: The work folder.
        top: See `Explainer.explain`.
        score_thr: See `Explainer.explain`.

    Returns:
        The page. Images that are no longer readable, and those in which nothing was found, have
        no maps, and lose those of an earlier call.

    Raises:
        FileNotFoundError: There is no report of a detector or segmentor.
        ValueError: Its data are damaged.
    """
    with progress_bar() as progress:
        images = shown_images(work_dir)
        for name, path in progress.track(images.items(), description='images'):
            try:
                image = explainer.predictor.read(path)
            except (OSError, ValueError) as error:
                line = f'cannot explain {path}: {error}'
                print_log(f'skipped: {one_line(line)}', logger='current', level=logging.WARNING)
                write_maps(work_dir, name, None)
                continue
            drawn = draw_maps(image, explainer(image, top, score_thr)[1])
            write_maps(work_dir, name, None if drawn is None else drawn[..., ::-1])
    return write_page(work_dir)
