"""Make the names of classes text, drop unused roots, and give all parts the same classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from effnet_dense.data.normalise.numbers import as_integer
from effnet_dense.data.normalise.repairs import Record, RepairLog, rewritten


def repair_names(categories: list[Record], log: RepairLog) -> list[Record]:
    """Make class names text without spaces around them, unless two would be the same then."""
    names = [_clean(category.get('name')) for category in categories]
    texts = [name for name in names if name is not None]
    if len(set(texts)) < len(texts):
        names = [
            name if type(category.get('name')) is not str else category['name']
            for name, category in zip(names, categories, strict=True)
        ]

    def change(index: int, record: Record) -> Record | None:
        name = names[index]
        if name is None or record.get('name') == name:
            return None
        log.add('class name, now text without spaces around it', f'{record.get("name")!r:.40}')
        return {**record, 'name': name}

    return rewritten(categories, change)


def _clean(name: Any) -> str | None:
    """Return a class name as text; None if it is none."""
    if type(name) is str:
        return name.strip() or None
    if type(name) in (int, float):
        integer = as_integer(name)
        return str(name if integer is None else integer)
    return None


def drop_unused_roots(
    parts: Mapping[str, Record], logs: Mapping[str, RepairLog]
) -> dict[str, Record]:
    """Leave out a category above all others without an object, as Roboflow's files have."""
    roots = {root for data in parts.values() for root in [root_of(data['categories'])] if root}
    if len(roots) != 1:
        return dict(parts)
    (root,) = roots
    if any(root in used_names(data) for data in parts.values()):
        return dict(parts)
    result = {}
    for part, data in parts.items():
        kept = [entry for entry in data['categories'] if entry.get('name') != root]
        if len(kept) < len(data['categories']) and root == root_of(data['categories']):
            logs[part].add('category above all others without an object, left out', repr(root))
            data = {**data, 'categories': kept}
        result[part] = data
    return result


def root_of(categories: list[Record]) -> str | None:
    """Name the category that is every other one's supercategory, and has none itself."""
    tops = [entry for entry in categories if entry.get('supercategory') in ('none', '', None)]
    if len(tops) != 1 or len(categories) < 2 or type(tops[0].get('name')) is not str:
        return None
    name = str(tops[0]['name'])
    others = [entry for entry in categories if entry is not tops[0]]
    return name if all(entry.get('supercategory') == name for entry in others) else None


def used_names(data: Record) -> set[str]:
    """Return the names of the classes that have annotations."""
    used = {entry.get('category_id') for entry in data['annotations'] if _is_id(entry)}
    return {
        entry['name']
        for entry in data['categories']
        if type(entry.get('name')) is str and type(entry.get('id')) is int and entry['id'] in used
    }


def _is_id(annotation: Record) -> bool:
    return type(annotation.get('category_id')) is int


def unify_classes(parts: Mapping[str, Record], log: RepairLog) -> dict[str, Record]:
    """Give val the classes of train, in train's order; labels are positions in that list.

    Left as it is if a class of val with objects is not one of train's, which is an error.
    """
    if not {'train', 'val'} <= set(parts):
        return dict(parts)
    train, val = parts['train']['categories'], parts['val']['categories']
    names, others = _names(train), _names(val)
    if names is None or others is None or names == others:
        return dict(parts)
    if not used_names(parts['val']) <= set(names):
        return dict(parts)
    by_name = dict(zip(others, val, strict=True))
    ids = [entry['id'] for entry in val if type(entry.get('id')) is int]
    following = max([*ids, 0]) + 1
    categories = []
    for name, entry in zip(names, train, strict=True):
        if name not in by_name:
            log.add('class of train that val does not list, added', repr(name))
            categories.append({**entry, 'id': following})
            following += 1
        else:
            categories.append(by_name[name])
    for name in others:
        if name not in names:
            log.add('class of val without an object, which train lacks, left out', repr(name))
    common = [name for name in others if name in names]
    if common != [name for name in names if name in by_name]:
        example = f'{", ".join(others[:3])} → {", ".join(names[:3])}'
        log.add("order of val's classes, now train's", example)
    return {**parts, 'val': {**parts['val'], 'categories': categories}}


def _names(categories: list[Record]) -> list[str] | None:
    """Return the names of categories; None if some are no text, or repeat."""
    names = [entry['name'] for entry in categories if type(entry.get('name')) is str]
    return names if len(set(names)) == len(categories) else None
