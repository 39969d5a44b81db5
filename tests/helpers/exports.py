"""Write a dataset as the export of an annotation tool: the same boxes and masks in any format.

    parts = sample(tmp_path / 'source')                    # or {'train': Part(coco, folder), …}
    root = EXPORTS['Roboflow COCO'].write(tmp_path / 'set', parts, masks=True)

Each writer's docstring names the source of its layout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.helpers import export_coco, export_csv, export_labelme, export_xml, export_yolo
from tests.helpers.export_source import Part, merged, sample

__all__ = ['EXPORTS', 'Export', 'Part', 'merged', 'sample']

Write = Callable[[Path, Mapping[str, Part], bool], Path]


@dataclass(frozen=True)
class Export:
    """How a tool exports a dataset.

    Attributes:
        write: Writes one: (root, parts, masks) → root. Without masks, only boxes.
        format: What the reader calls it.
        masks: Which masks it holds: 'all', 'polygons' or ''.
        parted: It keeps train and val apart; else all images are in one part.
        rounding: Largest error of a box's sides, in pixels of a 64-pixel image.
    """

    write: Write
    format: str
    masks: str = 'all'
    parted: bool = True
    rounding: float = 0.0


EXPORTS: dict[str, Export] = {
    'COCO 2017': Export(export_coco.coco_2017, 'COCO JSON'),
    'COCO 2014': Export(export_coco.coco_2014, 'COCO JSON'),
    'COCO short': Export(export_coco.coco_short, 'COCO JSON'),
    'COCO at the root': Export(export_coco.coco_at_root, 'COCO JSON'),
    'COCO one file': Export(export_coco.coco_one_file, 'COCO JSON', parted=False),
    'Roboflow COCO': Export(export_coco.roboflow, "Roboflow's COCO export"),
    'CVAT COCO': Export(export_coco.cvat_subsets, 'COCO JSON'),
    'CVAT COCO task': Export(export_coco.cvat_task, "CVAT's COCO export", parted=False),
    'Label Studio COCO': Export(
        export_coco.label_studio, "Label Studio's COCO export", parted=False
    ),
    'FiftyOne COCO': Export(export_coco.fiftyone, "FiftyOne's COCO export"),
    'FiftyOne COCO one part': Export(
        export_coco.fiftyone_one_part, "FiftyOne's COCO export", parted=False
    ),
    'YOLO': Export(export_yolo.ultralytics, 'YOLO', 'polygons', rounding=1e-4),
    'YOLO lists': Export(export_yolo.ultralytics_lists, 'YOLO', 'polygons', rounding=1e-4),
    'Roboflow YOLO': Export(export_yolo.roboflow, 'YOLO', 'polygons', rounding=1e-4),
    'CVAT Ultralytics': Export(export_yolo.cvat_ultralytics, 'YOLO', 'polygons', rounding=1e-4),
    'Label Studio YOLO': Export(
        export_yolo.label_studio, 'YOLO', 'polygons', parted=False, rounding=1e-4
    ),
    'labelImg YOLO': Export(export_yolo.labelimg, 'YOLO', '', parted=False, rounding=1e-4),
    'CVAT YOLO': Export(export_yolo.cvat, "darknet's YOLO", '', rounding=1e-4),
    'VOC devkit': Export(export_xml.voc_devkit, 'Pascal VOC', ''),
    'CVAT VOC': Export(export_xml.voc_cvat, 'Pascal VOC', ''),
    'labelImg VOC': Export(export_xml.voc_labelimg, 'Pascal VOC', '', parted=False),
    'Roboflow VOC': Export(export_xml.voc_roboflow, 'Pascal VOC', ''),
    'CVAT XML': Export(export_xml.cvat_project, 'CVAT XML'),
    'CVAT XML task': Export(export_xml.cvat_task, 'CVAT XML', parted=False),
    'labelme': Export(export_labelme.labelme, 'labelme', parted=False),
    'labelme parts': Export(export_labelme.labelme_parts, 'labelme'),
    'labelme embedded': Export(export_labelme.labelme_embedded, 'labelme', parted=False),
    'Roboflow CSV': Export(export_csv.roboflow, 'CSV of boxes', ''),
    'RetinaNet CSV': Export(export_csv.retinanet, 'CSV of boxes', ''),
    'CSV with parts': Export(export_csv.one_table, 'CSV of boxes', ''),
    'Open Images CSV': Export(export_csv.open_images, 'CSV of boxes', '', rounding=1e-9),
}
"""Tool and format → its writer. Sources: see the writers."""


def cases() -> list[tuple[str, str]]:
    """Each export with boxes alone, with polygons, and with run lengths, as far as it has them."""
    return [
        (name, kind)
        for name, export in EXPORTS.items()
        for kind in ('boxes', 'polygons', 'runs')
        if kind == 'boxes' or export.masks in ('all', kind)
    ]
