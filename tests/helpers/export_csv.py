"""Write CSV files of boxes as tools and well-known datasets have them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from tests.helpers.export_source import Coco, Part, names_of, objects_of, place_images

Parts = Mapping[str, Part]


def boxes(part: Part) -> list[tuple[Coco, str, list[float]]]:
    """Each object's image, class, and corners x1, y1, x2, y2."""
    names, objects = names_of(part), objects_of(part)
    found = []
    for image in part.coco['images']:
        for annotation in objects[image['id']]:
            x, y, w, h = annotation['bbox']
            found.append((image, names[annotation['category_id']], [x, y, x + w, y + h]))
    return found


def _write(path: Path, rows: list[list[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w', newline='', encoding='utf-8') as file:
        csv.writer(file).writerows(rows)


def _empty(part: Part) -> list[Coco]:
    objects = objects_of(part)
    return [image for image in part.coco['images'] if not objects[image['id']]]


def roboflow(root: Path, parts: Parts, masks: bool = False) -> Path:
    """https://roboflow.com/formats/tensorflow-object-detection-csv."""
    header: list[object] = ['filename', 'width', 'height', 'class', 'xmin', 'ymin', 'xmax', 'ymax']
    for name, part in parts.items():
        folder = root / {'val': 'valid'}.get(name, name)
        rows = [
            [image['file_name'], image['width'], image['height'], label, *corners]
            for image, label, corners in boxes(part)
        ]
        rows += [[i['file_name'], i['width'], i['height'], *[''] * 5] for i in _empty(part)]
        _write(folder / '_annotations.csv', [header, *rows])
        place_images(part, folder)
    return root


def retinanet(root: Path, parts: Parts, masks: bool = False) -> Path:
    """https://github.com/fizyr/keras-retinanet#csv-datasets: without a header."""
    for name, part in parts.items():
        rows: list[list[object]] = [
            [f'images/{image["file_name"]}', *corners, label]
            for image, label, corners in boxes(part)
        ]
        rows += [[f'images/{image["file_name"]}', *[''] * 5] for image in _empty(part)]
        _write(root / f'{name}.csv', rows)
        place_images(part, root / 'images')
    _write(root / 'classes.csv', [[c['name'], i] for i, c in enumerate(part.coco['categories'])])
    return root


def one_table(root: Path, parts: Parts, masks: bool = False) -> Path:
    """One file with a column for the part, and x, y, w, h, separated by semicolons."""
    lines = ['label;x;y;w;h;image;split']
    for name, part in parts.items():
        for image, label, (x1, y1, x2, y2) in boxes(part):
            values = [label, x1, y1, x2 - x1, y2 - y1, image['file_name'], name]
            lines.append(';'.join(map(str, values)))
        lines += [f';;;;;{image["file_name"]};{name}' for image in _empty(part)]
        place_images(part, root / 'images')
    (root / 'boxes.csv').write_text('\n'.join(lines), encoding='utf-8-sig')
    return root


def open_images(root: Path, parts: Parts, masks: bool = False) -> Path:
    """https://storage.googleapis.com/openimages/web/download_v7.html#df-bboxes."""
    header: list[object] = ['ImageID', 'Source', 'LabelName', 'Confidence']
    header += ['XMin', 'XMax', 'YMin', 'YMax', 'IsOccluded', 'IsGroupOf']
    codes = {
        c['name']: f'/m/0{i}' for i, c in enumerate(next(iter(parts.values())).coco['categories'])
    }
    for name, part in parts.items():
        long = {'val': 'validation'}.get(name, name)
        rows: list[list[object]] = []
        for image, label, (x1, y1, x2, y2) in boxes(part):
            w, h = image['width'], image['height']
            stem = Path(image['file_name']).stem
            rows.append([stem, 'xclick', codes[label], 1, x1 / w, x2 / w, y1 / h, y2 / h, 0, 0])
        rows += [[Path(i['file_name']).stem, '', '', '', *[''] * 6] for i in _empty(part)]
        _write(root / f'{long}-annotations-bbox.csv', [header, *rows])
        place_images(part, root / long)
    described: list[list[object]] = [[code, label] for label, code in codes.items()]
    _write(root / 'class-descriptions-boxable.csv', described)
    return root
