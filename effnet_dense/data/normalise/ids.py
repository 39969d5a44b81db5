"""Make the ids of images, categories and annotations unique integers; references follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

from effnet_dense.data.columns import are_integers
from effnet_dense.data.normalise.numbers import as_integer
from effnet_dense.data.normalise.repairs import (
    Record,
    RepairLog,
    annotation_name,
    image_name,
    rewritten,
)

LARGEST = 2**53
"""Largest id: pycocotools compares ids in arrays of 64 bits, some of floating point."""

Name = Callable[[int, Record], str]


def repair_ids(data: Record, log: RepairLog) -> Record:
    """Repair the ids of a part's records.

    Text and decimals become integers, ids that are no number or missing become new ones, and
    references follow. Ids that several records share stay where it is unknown whose annotations
    are meant: an error of the check.

    Args:
        data: COCO's records, left unchanged.
        log: Collects the repairs.

    Returns:
        The records; lists without repairs are the same objects.
    """
    images, image_ids = _repair_list(data, 'images', 'image_id', image_name, _file_names, log)
    categories, category_ids = _repair_list(
        data, 'categories', 'category_id', _category_name, _class_names, log
    )
    references = (('image_id', image_ids), ('category_id', category_ids))
    annotations = data['annotations']
    if not all(
        new_id.all_kept([r.get(field) for r in annotations]) for field, new_id in references
    ):
        annotations = rewritten(annotations, lambda _, record: _followed(record, references, log))
    annotations = _number_annotations(annotations, log)
    return {**data, 'images': images, 'categories': categories, 'annotations': annotations}


def _followed(
    record: Record, references: Iterable[tuple[str, _References]], log: RepairLog
) -> Record | None:
    """Return an annotation whose references follow the new ids; None if they are these."""
    fixed: Record = {}
    for field, new_id in references:
        value = record.get(field)
        if field in record and not (type(value) is int and new_id.kept(value)):
            found = new_id(value)
            if found is not None and (type(value) is not int or found != value):
                fixed[field] = found
                log.add(f'{field!r} of annotations follows the new id', f'{value!r:.40} → {found}')
    return {**record, **fixed} if fixed else None


class _References:
    """Finds the id to which a reference leads.

    Args:
        old: The records' ids before the repair.
        new: After it; None for records that have been left out.
        names: Text → position of the one record that it names.
    """

    def __init__(
        self, old: Sequence[Any], new: Sequence[int | None], names: dict[str, int]
    ) -> None:
        pairs = [(value, id_) for value, id_ in zip(old, new, strict=True) if id_ is not None]
        self._integers = {value: id_ for value, id_ in reversed(pairs) if type(value) is int}
        self._texts = {value: id_ for value, id_ in reversed(pairs) if type(value) is str}
        self._values = {as_integer(value): id_ for value, id_ in reversed(pairs)}
        self._names = {name: new[i] for name, i in names.items()}

    def kept(self, value: int) -> bool:
        """Whether an integer is an id that has not changed."""
        return self._integers.get(value) == value

    def all_kept(self, values: Sequence[Any]) -> bool:
        """Whether all of these are ids that have not changed."""
        return are_integers(values) and all(map(self.kept, set(values)))

    def __call__(self, value: Any) -> int | None:
        """Return the id; None if nothing has it."""
        if type(value) is int and value in self._integers:
            return self._integers[value]
        if type(value) is str and value in self._texts:
            return self._texts[value]
        integer = as_integer(value)
        if integer is not None and integer in self._values:
            return self._values[integer]
        return self._names.get(value) if type(value) is str else None


def _repair_list(
    data: Record,
    key: str,
    reference: str,
    name: Name,
    names: Callable[[list[Record]], dict[str, int]],
    log: RepairLog,
) -> tuple[list[Record], _References]:
    """Repair the ids of images or categories; also return how references find them."""
    records = data[key]
    old = [record.get('id') for record in records]
    if _sound(old):
        texts = any(type(entry.get(reference)) is str for entry in data['annotations'])
        return records, _References(old, old, names(records) if texts else {})
    referenced = {as_integer(entry.get(reference)) for entry in data['annotations']} - {None}
    new = _new_ids(records, old, referenced)
    kept: list[Record] = []
    for index, (record, id_) in enumerate(zip(records, new, strict=True)):
        if id_ is None:
            log.add(f'record of {key} that is listed twice, kept once', name(index, record))
        elif type(old[index]) is int and old[index] == id_:
            kept.append(record)
        else:
            was = f'{old[index]!r:.40}' if 'id' in record else 'missing'
            log.add(f"'id' of {key}, now an integer of its own", f'{was} → {id_}')
            kept.append({**record, 'id': id_})
    return kept, _References(old, new, names(records))


def _sound(ids: Sequence[Any]) -> bool:
    """Whether all ids are integers of a usable size, each of one record."""
    return (
        set(map(type, ids)) <= {int}
        and len(set(ids)) == len(ids)
        and all(-LARGEST < value < LARGEST for value in ids)
    )


def _new_ids(
    records: Sequence[Record], old: Sequence[Any], referenced: set[int | None]
) -> list[int | None]:
    """Choose each record's id; None for a repeated record."""
    integers = [as_integer(value) for value in old]
    usable = [v for v in integers if v is not None and -LARGEST < v < LARGEST]
    following = max([*usable, 0]) + 1
    first: dict[int, int] = {}
    new: list[int | None] = []
    for index, (record, value) in enumerate(zip(records, integers, strict=True)):
        if value is not None and -LARGEST < value < LARGEST:
            if value not in first:
                first[value] = index
                new.append(value)
                continue
            if record == records[first[value]]:
                new.append(None)
                continue
            if _same(old[index], old[first[value]]) and value in referenced:
                new.append(value)  # whose annotations these are is unknown
                continue
        new.append(following)
        following += 1
    return new


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _number_annotations(annotations: list[Record], log: RepairLog) -> list[Record]:
    """Give annotations new ids where theirs are missing, repeated, 0 or no number.

    pycocotools never counts an annotation with id 0 as found.
    """
    ids = [record.get('id') for record in annotations]
    if _sound(ids) and 0 not in ids:
        return annotations
    integers = [as_integer(value) for value in ids]
    following = max([v for v in integers if v is not None and abs(v) < LARGEST] + [0]) + 1
    taken: set[int] = {0}

    def change(index: int, record: Record) -> Record | None:
        nonlocal following
        value = integers[index]
        if value is None or value in taken or abs(value) >= LARGEST:
            value = following
            following += 1
        taken.add(value)
        if type(ids[index]) is int and ids[index] == value:
            return None
        if 'id' not in record:
            log.add("annotation without 'id', numbered", f'annotations[{index}] → {value}')
        elif integers[index] == 0:
            log.add('annotation with id 0, which pycocotools never counts as found', f'→ {value}')
        else:
            log.add(
                "'id' of annotations, now an integer of its own",
                f'{annotation_name(index, record)} → {value}',
            )
        return {**record, 'id': value}

    return rewritten(annotations, change)


def _category_name(index: int, record: Record) -> str:
    name = record.get('name')
    return str(name) if name is not None else f'categories[{index}]'


def _file_names(images: list[Record]) -> dict[str, int]:
    """Find images by their file name, with or without folders and suffix, where it is unique."""
    names = [str(image.get('file_name', '')).replace('\\', '/') for image in images]
    paths = [PurePosixPath(name) for name in names]
    forms = (names, [path.name for path in paths], [path.stem for path in paths])
    found: dict[str, int] = {}
    for form in forms:
        counts = Counter(form)
        for index, name in enumerate(form):
            if counts[name] == 1 and name:
                found.setdefault(name, index)
    return found


def _class_names(categories: list[Record]) -> dict[str, int]:
    """Find categories by their name, where it is unique."""
    names = [str(category.get('name')) for category in categories]
    counts = Counter(names)
    return {name: index for index, name in enumerate(names) if counts[name] == 1}
