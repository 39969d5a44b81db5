"""Name a data set's classes in the order of its labels.

mmdet's CocoDataset numbers classes in the order of the annotation file's categories, whatever the
order of `metainfo.classes`, by which results, drawings and checkpoints name them.
"""

from __future__ import annotations

import json
import logging
import mmap
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from effnet_dense.utils.near_names import listed, with_nearest

KEY = b'"categories"'
DECLARED = 'declared_classes'
"""Attribute of a data set: its `metainfo.classes` before they were put into the labels' order."""


def use_label_order(dataset: Any) -> None:
    """Put the classes and colours of built data sets into the order of their labels.

    Args:
        dataset: A data set or a wrapper of some.

    Raises:
        ValueError: A training set's file lacks some of its classes, so that labels are shifted.
    """
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    if inner[0] is not None:
        for child in inner:
            use_label_order(child)
        changed = classes_of(inner[0])
        if changed and hasattr(inner[0], DECLARED) and hasattr(dataset, '_metainfo'):
            dataset._metainfo = inner[0].metainfo
            setattr(dataset, DECLARED, getattr(inner[0], DECLARED))
        return
    declared, names = classes_of(dataset), names_of_labels(dataset)
    if not declared or names is None or not isinstance(getattr(dataset, '_metainfo', None), dict):
        return
    # Names that repeat, or that the data set does not select by, say nothing of the order.
    if len(set(declared)) < len(declared) or not set(names) <= set(declared):
        return
    if not names or names != declared[: len(names)]:
        _rename(dataset, declared, names)


def classes_of(dataset: Any) -> tuple[str, ...]:
    """Return a data set's classes; () if it has none."""
    metainfo = getattr(dataset, 'metainfo', None)
    classes = metainfo.get('classes') if isinstance(metainfo, dict) else None
    if not isinstance(classes, list | tuple) or not all(isinstance(c, str) for c in classes):
        return ()
    return tuple(classes)


def names_of_labels(dataset: Any) -> tuple[str, ...] | None:
    """Return the names of the labels 0, 1, … by the annotation file; None if they are unknown."""
    ids, path = getattr(dataset, 'cat_ids', None), Path(str(getattr(dataset, 'ann_file', '')))
    if not isinstance(ids, list) or not path.is_file():
        return None
    names = {category['id']: category['name'] for category in read_categories(path)}
    return tuple(names[label] for label in ids) if set(ids) <= set(names) else None


def read_categories(path: Path) -> list[dict[str, Any]]:
    """Read the categories of an annotation file, where possible without parsing the rest."""
    with path.open('rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        at = content.find(KEY)
        if content.rfind(KEY) == at != -1:
            found = _list_at(content, at + len(KEY))
            if found is not None:
                return found
    whole = json.loads(path.read_text(encoding='utf-8'))
    found = whole.get('categories') if isinstance(whole, dict) else None
    return found if isinstance(found, list) and _are_categories(found) else []


def _list_at(content: mmap.mmap, at: int) -> list[dict[str, Any]] | None:
    """Decode the list of categories that begins at a position, if there is one."""
    size = 1 << 16
    while True:
        text = content[at : at + size].decode('utf-8', 'ignore').lstrip(' \t\r\n:')
        try:
            found = json.JSONDecoder().raw_decode(text)[0]
        except ValueError:
            if at + size >= len(content):
                return None
            size *= 4
        else:
            return found if _are_categories(found) else None


def _are_categories(found: Any) -> bool:
    return isinstance(found, list) and all(
        isinstance(c, dict) and isinstance(c.get('name'), str) and 'id' in c for c in found
    )


def _rename(dataset: Any, declared: tuple[str, ...], names: tuple[str, ...]) -> None:
    missing = [name for name in declared if name not in names]
    if missing and (not names or not getattr(dataset, 'test_mode', False)):
        known = [category['name'] for category in read_categories(Path(dataset.ann_file))]
        raise ValueError(
            f'{dataset.ann_file} lacks {len(missing)} of the {len(declared)} classes in '
            f'metainfo.classes, which would shift the labels of the others: '
            f'{with_nearest(missing, known)}; write the names of its categories '
            f'({listed(known)})'
        )
    setattr(dataset, DECLARED, declared)
    colours = dataset._metainfo.get('palette')
    if isinstance(colours, list | tuple) and len(colours) == len(declared):
        dataset._metainfo['palette'] = [colours[declared.index(name)] for name in names]
    dataset._metainfo['classes'] = names
    what = f'lacks {listed(missing)}' if missing else 'has another order'
    print_log(
        f'labels are numbered by the categories of {dataset.ann_file} ({listed(names)}), which '
        f'{what} compared with metainfo.classes ({listed(declared)}): the order of the file is '
        'used for their names',
        'current',
        logging.WARNING,
    )
