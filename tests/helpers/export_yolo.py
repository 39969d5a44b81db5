"""Write YOLO datasets as annotation tools do: six decimals, one line for each object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.helpers.export_source import Coco, Part, objects_of, place_images, polygons_of

Parts = Mapping[str, Part]


def label_lines(part: Part, masks: bool) -> Iterator[tuple[Coco, str]]:
    """Yield each image with its label file's text, a line for each polygon."""
    labels = {category['id']: i for i, category in enumerate(part.coco['categories'])}
    objects = objects_of(part)
    for image in part.coco['images']:
        width, height = image['width'], image['height']
        lines = []
        for annotation in objects[image['id']]:
            x, y, w, h = annotation['bbox']
            values = [(x + w / 2) / width, (y + h / 2) / height, w / width, h / height]
            rows = [values]
            if masks:
                rows = [
                    [value / (height if i % 2 else width) for i, value in enumerate(polygon)]
                    for polygon in polygons_of(annotation, image)
                ]
            label = labels[annotation['category_id']]
            lines += [' '.join([str(label), *(f'{v:.6f}' for v in row)]) for row in rows]
        yield image, ''.join(f'{line}\n' for line in lines)


def write_labels(part: Part, folder: Path, masks: bool) -> None:
    """Write label files; images without objects have an empty one."""
    folder.mkdir(parents=True, exist_ok=True)
    for image, text in label_lines(part, masks):
        name = Path(image['file_name']).stem + '.txt'
        (folder / name).write_text(text, encoding='utf-8')


def classes_of(parts: Parts) -> list[str]:
    return [category['name'] for category in next(iter(parts.values())).coco['categories']]


def _write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(f'{line}\n' for line in lines), encoding='utf-8')


def ultralytics(root: Path, parts: Parts, masks: bool = True) -> Path:
    """https://docs.ultralytics.com/datasets/detect/: names as INDEX: NAME."""
    lines = ['path: ../datasets/fruit', *(f'{name}: images/{name}' for name in parts), 'names:']
    lines += [f'  {i}: {name}' for i, name in enumerate(classes_of(parts))]
    _write_lines(root / 'data.yaml', lines)
    for name, part in parts.items():
        place_images(part, root / 'images' / name)
        write_labels(part, root / 'labels' / name, masks)
    return root


def ultralytics_lists(root: Path, parts: Parts, masks: bool = True) -> Path:
    """The same with lists of images in place of folders, and names as a list."""
    for name, part in parts.items():
        images = [f'./images/{image["file_name"]}' for image in part.coco['images']]
        _write_lines(root / f'{name}.txt', images)
        place_images(part, root / 'images')
        write_labels(part, root / 'labels', masks)
    lines = ['path: .', *(f'{name}: {name}.txt' for name in parts)]
    _write_lines(root / 'fruit.yaml', [*lines, f'names: {classes_of(parts)}'])
    return root


def roboflow(root: Path, parts: Parts, masks: bool = True) -> Path:
    """https://roboflow.com/formats/yolov8-pytorch-txt: paths from a folder beside this one."""
    names = {name: {'val': 'valid'}.get(name, name) for name in parts}
    lines = [f'{name}: ../{folder}/images' for name, folder in names.items()]
    lines += ['test: ../test/images', f'nc: {len(classes_of(parts))}']
    lines += [f'names: {classes_of(parts)}', 'roboflow:', '  workspace: fruit']
    _write_lines(root / 'data.yaml', lines)
    for name, part in parts.items():
        place_images(part, root / names[name] / 'images')
        write_labels(part, root / names[name] / 'labels', masks)
    return root


def cvat_ultralytics(root: Path, parts: Parts, masks: bool = True) -> Path:
    """https://docs.cvat.ai/docs/dataset_management/formats/format-yolo-ultralytics/."""
    for name, part in parts.items():
        images = [f'data/images/{name}/{image["file_name"]}' for image in part.coco['images']]
        _write_lines(root / f'{name}.txt', images)
        place_images(part, root / 'images' / name)
        write_labels(part, root / 'labels' / name, masks)
    lines = ['names:', *(f'  {i}: {name}' for i, name in enumerate(classes_of(parts)))]
    _write_lines(root / 'data.yaml', [*lines, 'path: .', *(f'{n}: {n}.txt' for n in parts)])
    return root


def label_studio(root: Path, parts: Parts, masks: bool = True) -> Path:
    """https://labelstud.io/guide/export#YOLO: classes.txt, notes.json, images/, labels/."""
    _write_lines(root / 'classes.txt', classes_of(parts))
    _write_lines(root / 'notes.json', ['{"categories": [], "info": {"year": 2024}}'])
    for part in parts.values():
        place_images(part, root / 'images')
        write_labels(part, root / 'labels', masks)
    return root


def labelimg(root: Path, parts: Parts, masks: bool = False) -> Path:
    """https://github.com/HumanSignal/labelImg#create-pre-defined-classes: all in one folder."""
    for part in parts.values():
        place_images(part, root)
        write_labels(part, root, masks=False)
    _write_lines(root / 'classes.txt', classes_of(parts))
    return root


def cvat(root: Path, parts: Parts, masks: bool = False) -> Path:
    """https://docs.cvat.ai/docs/dataset_management/formats/format-yolo/: YOLO 1.1, darknet's."""
    _write_lines(root / 'obj.names', classes_of(parts))
    keys = {'val': 'valid'}
    lines = [f'classes = {len(classes_of(parts))}', 'names = data/obj.names', 'backup = backup/']
    for name, part in parts.items():
        folder = f'obj_{name}_data'
        lines.append(f'{keys.get(name, name)} = data/{name}.txt')
        images = [f'data/{folder}/{image["file_name"]}' for image in part.coco['images']]
        _write_lines(root / f'{name}.txt', images)
        place_images(part, root / folder)
        write_labels(part, root / folder, masks=False)
    _write_lines(root / 'obj.data', lines)
    return root
