"""Draw ground truth and predictions of the best and the worst images for the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from effnet_dense.evaluation.captions import Colour, ImageArray
from effnet_dense.evaluation.drawing import (
    RED,
    draw_boxes,
    draw_label_map,
    draw_masks,
    draw_wrong_pixels,
)
from effnet_dense.report import panels
from effnet_dense.report.detection import Detections
from effnet_dense.report.explained import map_file
from effnet_dense.report.ranking import best_and_worst
from effnet_dense.report.scores import Score
from effnet_dense.report.segmentation import Segments
from effnet_dense.report.store import load_map

RIGHT, WRONG, MISSED = (46, 184, 92), RED, (255, 159, 28)


@dataclass
class Overlay:
    """A drawn image of the page."""

    file: Path | None  # None if the image is no longer readable
    name: str
    score: float
    note: str
    maps: Path | None = None  # class-activation maps, see `explained`

    @property
    def uris(self) -> list[str]:
        """Return the image, and its maps if there are any, as `data:` URIs."""
        return [panels.data_uri(file) for file in (self.file, self.maps) if file is not None]


@dataclass
class Boxes:
    """N boxes of one panel, in the order in which they are drawn."""

    rows: list[int]  # positions among the image's objects or detections
    boxes: NDArray[np.float64]  # (N, 4), in the original image's pixels
    captions: list[str]
    colours: list[Colour]


def detection_overlays(
    folder: Path,
    found: Detections,
    masks: Mapping[str, Any] | None,
    classes: Sequence[str],
    score_thr: float,
) -> tuple[list[Overlay], list[Overlay]]:
    """Draw the best and the worst images: ground truth on the left, detections on the right.

    Args:
        folder: The report's folder.
        found: Results of the evaluation.
        masks: Index of an image as text → 'truth' and 'found' → run-length encoded masks.
        classes: K names.
        score_thr: Detections of a lower score are left out.
    """

    def draw(index: int) -> ImageArray | None:
        image = panels.read_rgb(str(found.paths[index]))
        if image is None:
            return None
        encoded = (masks or {}).get(str(index), {})
        return panels.side_by_side(
            [
                draw_panel(image, truth_boxes(found, index, classes), encoded.get('truth')),
                draw_panel(
                    image, found_boxes(found, index, classes, score_thr), encoded.get('found')
                ),
            ]
        )

    def note(index: int) -> str:
        right, wrong, missed = found.counts[index]
        return f'{right} right, {wrong} wrong, {missed} missed'

    return _overlays(folder, found, draw, note)


def segmentation_overlays(
    folder: Path, found: Segments, palette: NDArray[np.uint8], classes: Sequence[str]
) -> tuple[list[Overlay], list[Overlay]]:
    """Draw the best and the worst images: ground truth, prediction, wrong pixels.

    Args:
        folder: The report's folder, with label maps.
        found: Results of the evaluation.
        palette: (C, 3)
        classes: C names.
    """
    maps = folder / 'data' / 'maps'

    def draw(index: int) -> ImageArray | None:
        image = panels.read_rgb(str(found.paths[index]))
        truth, seen = (load_map(maps / f'{index}_{kind}.png') for kind in ('truth', 'found'))
        if image is None or truth is None or seen is None:
            return None
        image = panels.resize(image, panels.panel_size(*image.shape[:2]))
        size = panels.font_size(image, of=3)
        return panels.side_by_side(
            [
                draw_label_map(image, truth, palette, classes, font_size=size),
                draw_label_map(image, seen, palette, classes, font_size=size),
                draw_wrong_pixels(image, seen, truth, len(palette)),
            ]
        )

    return _overlays(folder, found, draw, lambda _: '')


def truth_boxes(found: Detections, index: int, classes: Sequence[str]) -> Boxes:
    """Return an image's objects: green if found, orange if missed."""
    rows = np.flatnonzero(found.truth_image == index)
    return Boxes(
        list(range(len(rows))),
        found.truth_box[rows],
        [classes[label] for label in found.truth_label[rows]],
        [RIGHT if hit else MISSED for hit in found.truth_found[rows]],
    )


def found_boxes(found: Detections, index: int, classes: Sequence[str], score_thr: float) -> Boxes:
    """Return an image's detections, the most confident last: red if wrong, else green."""
    all_rows = np.flatnonzero(found.found_image == index)
    scores = found.found_score[all_rows]
    kept = np.flatnonzero(scores >= score_thr)
    kept = kept[np.argsort(scores[kept], kind='stable')]
    rows = all_rows[kept]
    captions = [
        f'{classes[label]} {score:.2f}'
        for label, score in zip(found.found_label[rows], found.found_score[rows], strict=True)
    ]
    colours = [RIGHT if right else WRONG for right in found.found_right[rows]]
    return Boxes(kept.tolist(), found.found_box[rows], captions, colours)


def draw_panel(image: ImageArray, shown: Boxes, masks: Sequence[Any] | None) -> ImageArray:
    """Draw boxes, and masks if there are any.

    Args:
        image: (H, W, 3), in its original size.
        shown: Boxes to draw.
        masks: Run-length encoded masks of all the image's objects or detections.
    """
    panel = panels.resize(image, panels.panel_size(*image.shape[:2]))
    scale = panel.shape[1] / image.shape[1]
    size = panels.font_size(panel)
    if masks is not None:
        decoded = [coco_mask.decode(masks[row]) for row in shown.rows]
        panel = draw_masks(panel, decoded, shown.colours)
    return draw_boxes(panel, shown.boxes * scale, shown.captions, shown.colours, font_size=size)


def _overlays(
    folder: Path,
    found: Detections | Segments,
    draw: Callable[[int], ImageArray | None],
    note: Callable[[int], str],
) -> tuple[list[Overlay], list[Overlay]]:
    """Draw images into files, which are kept if an image can no longer be drawn."""
    made: list[list[Overlay]] = []
    for kind, indices in zip(('best', 'worst'), best_and_worst(found.scores), strict=True):
        made.append([])
        for place, index in enumerate(indices.tolist(), 1):
            file = folder / 'images' / f'{kind}_{place}.jpg'
            drawn = draw(index)
            if drawn is not None:
                panels.write_jpeg(file, drawn)
            name, score = Path(str(found.paths[index])).name, Score(found.scores[index])
            made[-1].append(
                Overlay(
                    _present(file),
                    name,
                    score,
                    note(index),
                    _present(map_file(folder, f'{kind}_{place}')),
                )
            )
    return made[0], made[1]


def _present(file: Path) -> Path | None:
    return file if file.is_file() else None
