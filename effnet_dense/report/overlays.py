"""The pictures of the best and the worst images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from effnet_dense.report import drawing
from effnet_dense.report.detection import Detections
from effnet_dense.report.files import data_uri, load_map
from effnet_dense.report.ranking import best_and_worst
from effnet_dense.report.segmentation import Segments


@dataclass
class Overlay:
    """One image of the page."""

    file: Path | None  # None where the image cannot be read any more
    name: str
    score: float
    note: str

    @property
    def uri(self) -> str:
        """The picture within an address."""
        if self.file is None:
            raise ValueError(f'{self.name} has no picture')
        return data_uri(self.file)


def detection_overlays(
    folder: Path,
    found: Detections,
    masks: Mapping[str, Any] | None,
    classes: Sequence[str],
    score_thr: float,
) -> tuple[list[Overlay], list[Overlay]]:
    """Draw the best and the worst images: ground truth on the left, detections on the right."""

    def make(index: int, file: Path) -> Overlay:
        picture = drawing.read_picture(str(found.paths[index]))
        if picture is not None:
            chosen = (masks or {}).get(str(index))
            panels = _detection_panels(picture, index, found, chosen, classes, score_thr)
            drawing.write_jpeg(file, drawing.side_by_side(panels))
        right, wrong, missed = found.counts[index]
        note = f'{right} right, {wrong} wrong, {missed} missed'
        return _overlay(file, found, index, note)

    return _both(folder, found.scores, make)


def segmentation_overlays(
    folder: Path, found: Segments, palette: NDArray[np.uint8]
) -> tuple[list[Overlay], list[Overlay]]:
    """Draw the best and the worst images: ground truth, prediction, wrong pixels."""

    def make(index: int, file: Path) -> Overlay:
        picture = drawing.read_picture(str(found.paths[index]))
        truth, seen = (
            load_map(folder / 'data' / 'maps' / f'{index}_{kind}.png')
            for kind in ('truth', 'found')
        )
        if picture is not None and truth is not None and seen is not None:
            picture = drawing.resize(picture, drawing.panel_size(*picture.shape[:2]))
            panels = [
                drawing.draw_map(picture, truth, palette),
                drawing.draw_map(picture, seen, palette),
                drawing.draw_errors(picture, seen, truth, len(palette)),
            ]
            drawing.write_jpeg(file, drawing.side_by_side(panels))
        return _overlay(file, found, index, '')

    return _both(folder, found.scores, make)


def _both(
    folder: Path, scores: NDArray[np.float64], make: Any
) -> tuple[list[Overlay], list[Overlay]]:
    made = []
    for kind, indices in zip(('best', 'worst'), best_and_worst(scores), strict=True):
        files = [folder / 'images' / f'{kind}_{place}.jpg' for place in range(1, len(indices) + 1)]
        made.append([make(int(index), file) for index, file in zip(indices, files, strict=True)])
    return made[0], made[1]


def _overlay(file: Path, found: Detections | Segments, index: int, note: str) -> Overlay:
    name = Path(str(found.paths[index])).name
    shown = file if file.is_file() else None
    return Overlay(shown, name, float(found.scores[index]), note)


def _detection_panels(
    picture: drawing.Picture,
    index: int,
    found: Detections,
    masks: Mapping[str, Any] | None,
    classes: Sequence[str],
    score_thr: float,
) -> list[drawing.Picture]:
    height, width = picture.shape[:2]
    picture = drawing.resize(picture, drawing.panel_size(height, width))
    scale = picture.shape[1] / width
    all_objects = np.flatnonzero(found.truth_image == index)
    all_rows = np.flatnonzero(found.found_image == index)
    # The best ones are drawn last, above the others.
    objects = all_objects
    rows = all_rows[found.found_score[all_rows] >= score_thr]
    rows = rows[np.argsort(found.found_score[rows], kind='stable')]
    object_colours = [
        drawing.RIGHT if found.truth_found[row] else drawing.MISSED for row in objects
    ]
    row_colours = [drawing.RIGHT if found.found_right[row] else drawing.WRONG for row in rows]
    truth_names = [classes[label] for label in found.truth_label[objects]]
    found_names = [
        f'{classes[found.found_label[row]]} {found.found_score[row]:.2f}' for row in rows
    ]
    panels = []
    for kind, first, chosen, boxes, names, colours in (
        ('truth', all_objects, objects, found.truth_box, truth_names, object_colours),
        ('found', all_rows, rows, found.found_box, found_names, row_colours),
    ):
        panel = picture
        if masks is not None:
            decoded = [coco_mask.decode(masks[kind][row - first[0]]) for row in chosen]
            panel = drawing.draw_masks(panel, decoded, colours)
        panels.append(drawing.draw_boxes(panel, boxes[chosen] * scale, names, colours))
    return panels
