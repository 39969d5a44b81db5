"""Derive annotations' missing fields: iscrowd, boxes from masks, areas from masks or boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pycocotools import mask as coco_mask

from effnet_dense.data.columns import are_flags, as_boxes, as_numbers
from effnet_dense.data.masks import are_plain, is_long, mask_fault, to_runs
from effnet_dense.data.normalise.numbers import as_number, is_number
from effnet_dense.data.normalise.repairs import Record, RepairLog, annotation_name, rewritten

CROWD = {'0': 0, '1': 1, 'false': 0, 'true': 1, '0.0': 0, '1.0': 1, 'none': 0, 'nan': 0, '': 0}
"""Text in lower case → flag."""

Size = tuple[int, int]


def repair_fields(
    annotations: list[Record], images: list[Record], log: RepairLog, states_areas: bool = True
) -> list[Record]:
    """Repair the fields of annotations, whose images' sizes and ids have been repaired.

    Args:
        annotations: Left unchanged.
        images: Of the same part.
        log: Collects the repairs.
        states_areas: A missing area is a fault, which is logged.

    Returns:
        The annotations; the same list if none is repaired.
    """
    if _are_sound(annotations):
        return annotations
    sizes = {
        image['id']: (image['width'], image['height'])
        for image in images
        if type(image.get('id')) is int
        and type(image.get('width')) is int
        and type(image.get('height')) is int
    }

    own = [_size(record, sizes) for record in annotations]
    masks = [record.get('segmentation') for record in annotations]
    area_log = log if states_areas else RepairLog()
    plain = are_plain(masks, [size or (0, 0) for size in own])

    def change(index: int, record: Record) -> Record | None:
        if _is_sound(record):
            return None
        shape, name = _Mask(own[index], plain[index]), annotation_name(index, record)
        fixed = _repaired(record, shape, name, log)
        fixed |= _area({**record, **fixed}, shape, name, area_log)
        return {**record, **fixed} if fixed else None

    return rewritten(annotations, change, 'Repairing annotations')


@dataclass
class _Mask:
    """What can be derived of an annotation's mask, when it is needed.

    Attributes:
        size: Width and height of its image; None if they are unknown.
        plain: The mask is known to have no fault.
    """

    size: Size | None
    plain: bool

    def is_sound(self, mask: Any) -> bool:
        """Whether there is a mask without faults."""
        if type(mask) not in (list, dict) or not mask or self.size is None:
            return False
        return self.plain or mask_fault(mask, *self.size) is None

    def runs(self, mask: Any) -> Any:
        """Return the run lengths; None without a mask, for a faulty one, and for a knot."""
        if self.size is None or not self.is_sound(mask) or is_long(mask, *self.size):
            return None
        return to_runs(mask, *self.size)

    def box(self, mask: Any) -> list[float] | None:
        """Return the box around the mask: of polygons their extent, as COCO's files have it."""
        if not self.is_sound(mask):
            return None
        if isinstance(mask, list):
            xs = [x for polygon in mask for x in polygon[::2]]
            ys = [y for polygon in mask for y in polygon[1::2]]
            box = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
        else:
            box = coco_mask.toBbox(self.runs(mask)).tolist()
        return box if box[2] > 0 and box[3] > 0 else None


def _size(record: Record, sizes: Mapping[int, Size]) -> Size | None:
    image = record.get('image_id')
    return sizes.get(image) if type(image) is int else None


def _are_sound(annotations: Sequence[Record]) -> bool:
    """Whether nothing needs to be derived in any annotation."""
    flags, boxes, areas, masks = (
        [record.get(key) for record in annotations]
        for key in ('iscrowd', 'bbox', 'area', 'segmentation')
    )
    if not are_flags(flags):
        return False
    box, area = as_boxes(boxes), as_numbers(areas)
    if box is None or area is None or not (box[:, 2:] > 0).all() or not (area > 0).all():
        return False
    firsts = {type(mask[0]) for mask in masks if type(mask) is list and mask}
    return firsts.isdisjoint((int, float))


def _is_sound(record: Record) -> bool:
    """Whether nothing needs to be derived; fast, for files of a million annotations."""
    box, area = record.get('bbox'), record.get('area')
    mask = record.get('segmentation')
    return (
        record.get('iscrowd') in (0, 1)
        and type(record['iscrowd']) in (int, bool)
        and type(box) is list
        and len(box) == 4
        and is_number(box[0])
        and is_number(box[1])
        and is_number(box[2])
        and is_number(box[3])
        and box[2] > 0
        and box[3] > 0
        and is_number(area)
        and area > 0  # type: ignore[operator]
        and not (type(mask) is list and mask and type(mask[0]) in (int, float))
    )


def _repaired(record: Record, shape: _Mask, name: str, log: RepairLog) -> Record:
    """Return an annotation's fields, except its area, that are derived."""
    fixed: Record = {}
    crowd = record.get('iscrowd')
    if type(crowd) not in (int, bool) or crowd not in (0, 1):
        flag = CROWD.get(str(crowd).strip().lower())
        if flag is not None:
            fixed['iscrowd'] = flag
            if crowd is None:
                log.add("annotation without 'iscrowd', which is 0", name)
            else:
                log.add("'iscrowd', now 0 or 1", f'{name}: {crowd!r:.20}')
    mask = record.get('segmentation')
    if _is_flat(mask):
        mask = fixed['segmentation'] = [mask]
        log.add('polygon that is no list of polygons, now one', name)
    box = record.get('bbox')
    numbers = _box(box)
    if numbers is None or numbers[2] <= 0 or numbers[3] <= 0:
        derived = shape.box(mask)
        if derived is not None:
            kind = "annotation without a usable 'bbox', which is its mask's"
            log.add(kind, f'{name}: {box!r:.40}')
            return {**fixed, 'bbox': derived}
    if numbers is not None and numbers != box:
        fixed['bbox'] = numbers
        log.add("'bbox' of text, now numbers", f'{name}: {box!r:.40}')
    return fixed


def _box(box: Any) -> list[float] | None:
    """Return a box's numbers; None if it is not four."""
    numbers = [as_number(value) for value in box] if type(box) in (list, tuple) else []
    known = [number for number in numbers if number is not None]
    return known if len(known) == len(numbers) == 4 else None


def _area(record: Record, shape: _Mask, name: str, log: RepairLog) -> Record:
    """Return the area of an annotation whose other fields are repaired, if it is derived."""
    area, box = record.get('area'), _box(record.get('bbox'))
    if is_number(area) and area > 0:  # type: ignore[operator]
        return {}
    runs = shape.runs(record.get('segmentation'))
    value = None if runs is None else float(coco_mask.area(runs)) or None
    source = "its mask's"
    if value is None and box is not None:
        value, source = box[2] * box[3], "its box's"
    if value is None or (value <= 0 and is_number(area)):
        return {}
    log.add(f"annotation without a positive 'area', which is {source}", name)
    return {'area': value}


def _is_flat(mask: Any) -> bool:
    """Whether a segmentation is one polygon's numbers, without the list around it."""
    return (
        type(mask) is list
        and len(mask) >= 6
        and len(mask) % 2 == 0
        and set(map(type, mask)) <= {int, float}
    )


def free_crowds(parts: Mapping[str, Record], logs: Mapping[str, RepairLog]) -> dict[str, Record]:
    """Make objects of crowd regions where a dataset has nothing else.

    CVAT and others export each mask with 'iscrowd': 1, because it is stored as run lengths.
    Nothing would be trained on.
    """
    annotations = [entry for data in parts.values() for entry in data['annotations']]
    if not annotations or not all(entry.get('iscrowd') == 1 for entry in annotations):
        return dict(parts)
    result = {}
    for part, data in parts.items():
        for index, entry in enumerate(data['annotations']):
            logs[part].add(
                "'iscrowd': 1 in a dataset of nothing else, now 0 (CVAT exports masks so)",
                annotation_name(index, entry),
            )
        free = [{**entry, 'iscrowd': 0} for entry in data['annotations']]
        result[part] = {**data, 'annotations': free}
    return result
