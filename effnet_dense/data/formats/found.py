"""What a reader found in an exported folder: records in COCO's form, not yet checked or repaired.

Readers only say what the files say. What can be derived from it (ids, areas, image sizes, file
names that are written differently) is derived afterwards, the same way for every format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class FoundSplit:
    """One part of a dataset.

    Attributes:
        data: {'images': [dict], 'annotations': [dict], 'categories': [dict]}, as in COCO's JSON
            files, in the order of the source. Fields may be missing or faulty; an image has a
            'file_name' as the source writes it, an annotation 'bbox' ([x, y, width, height] in
            pixels of the upright image), 'segmentation' or both.
        image_dirs: Folders in which file names are looked up, the most likely first.
        source: The file or folder with the annotations, which messages quote.
        ann_file: A COCO JSON file that holds just `data`, usable as it is if nothing is repaired.
        states_areas: The format has areas of objects; else deriving them repairs nothing.
    """

    data: dict[str, Any]
    image_dirs: tuple[Path, ...]
    source: Path
    ann_file: Path | None = None
    states_areas: bool = False


@dataclass(frozen=True)
class FoundData:
    """A dataset as a tool exported it.

    Attributes:
        format: The format and its layout, as a message names them: "Roboflow's COCO export".
        root: The folder that holds it; below the user's if the dataset lies deeper.
        splits: 'train', 'val' or both; 'all' alone if the source has one part.
        remarks: What was decided while reading, one sentence each: 'valid/ is used as val'.
    """

    format: str
    root: Path
    splits: Mapping[str, FoundSplit]
    remarks: tuple[str, ...] = ()
