"""Names of a dataset's parts, as tools write them: train, val, valid, validation, dev, test."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

from effnet_dense.data.folders import SPLITS

Part = TypeVar('Part')

WORDS = {
    **{'train': 'train', 'training': 'train'},
    **{'val': 'val', 'valid': 'val', 'validation': 'val', 'dev': 'val'},
    **{'test': 'test', 'testing': 'test'},
}
"""Word in a file's or folder's name → part."""

UNNAMED = 'all'
"""The only part of a dataset that is not divided."""

_WORD = re.compile(r'[A-Z]+(?![a-z])|[A-Z]?[a-z]+')
_FOLDER = re.compile(rf'({"|".join(sorted(WORDS, key=len, reverse=True))})[-_ ]?(?:\d{{4}})?')


def part_of(name: str) -> str | None:
    """Name the part that a file is called after: 'instances_Train2017' → 'train'.

    Returns:
        'train', 'val' or 'test'; None if no such word is in the name, or words of several parts.
    """
    words = {WORDS.get(word.lower()) for word in _WORD.findall(name)} - {None}
    return words.pop() if len(words) == 1 else None


def part_of_folder(name: str) -> str | None:
    """Name the part that a folder is, whose name may end in a year: 'valid', 'TRAIN2017'."""
    match = _FOLDER.fullmatch(name.lower())
    return WORDS[match[1]] if match else None


def pick_parts(
    found: Mapping[str, Part], names: Mapping[str, str]
) -> tuple[dict[str, Part], list[str]]:
    """Choose the parts to train and to evaluate with.

    Args:
        found: 'train', 'val', 'test' and 'all' → what there is of them.
        names: The same keys → what messages call them: 'valid/'.

    Returns:
        'train' and 'val', 'val' alone, or 'all' alone; and remarks on the choice.
    """
    rest = dict(found)
    named = [part for part in SPLITS if part in rest]
    picked = {part: rest.pop(part) for part in named}
    remarks = []
    if 'val' not in picked and 'test' in rest:
        picked['val'] = rest.pop('test')
        remarks.append(f'{names["test"]} is used as val, which the dataset lacks')
    if not picked and UNNAMED in rest:
        picked[UNNAMED] = rest.pop(UNNAMED)
    if list(picked) == ['train']:
        picked = {UNNAMED: picked['train']}
        remarks.append(f'{names["train"]} is the only part')
    remarks += [f'{names[part]} is not used' for part in rest]
    return picked, remarks
