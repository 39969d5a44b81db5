"""Classes of ADE20K, Cityscapes and Pascal VOC, recognised by their own layouts and file names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from effnet_dense.data.label_maps.classes import LabelClasses
from effnet_dense.data.label_maps.decode import NO_CLASS
from effnet_dense.data.label_maps.pairs import LabelSplit
from effnet_dense.data.label_maps.reading import PairContent, total

CITYSCAPES_IDS = (7, 8, 11, 12, 13, 17, *range(19, 29), 31, 32, 33)
"""labelIds of the train ids 0, 1, … (cityscapesScripts, helpers/labels.py)."""

CITYSCAPES_LAST = 33
"""Largest of the labelIds, from 0 on; the others are not evaluated."""

TRAIN_IDS = '_labelTrainIds'
LABEL_IDS = '_labelIds'

ADE_NAME = re.compile(r'ADE_(train|val)_\d{8}\Z')
VOC_NAME = re.compile(r'\d{4}_\d{6}\Z')

VOC_CLASSES = 21
VOC_BORDER = 0xE0E0C0
"""Colour of 255 in VOC's palette, the border between objects."""


@dataclass(frozen=True)
class KnownDataset:
    """A public dataset: its name, its classes, and what its files say about them."""

    name: str
    classes: LabelClasses


def known_dataset(split: LabelSplit, contents: Sequence[PairContent]) -> KnownDataset | None:
    """Recognise a public dataset; None for any other.

    Args:
        split: One of its splits.
        contents: What its files hold.
    """
    names = [content.pair.image.stem for content in contents]
    if split.label_end.endswith(TRAIN_IDS):
        return KnownDataset('Cityscapes (train ids)', LabelClasses(_names('cityscapes'), NO_CLASS))
    if split.label_end.endswith(LABEL_IDS):
        values = dict.fromkeys(range(CITYSCAPES_LAST + 1), NO_CLASS)
        values.update({value: label for label, value in enumerate(CITYSCAPES_IDS)})
        return KnownDataset(
            'Cityscapes (labelIds, mapped to the 19 train ids)',
            LabelClasses(_names('cityscapes'), None, values),
        )
    if names and all(ADE_NAME.match(name) for name in names):
        classes = _names('ade')
        values = {0: NO_CLASS, **{label + 1: label for label in range(len(classes))}}
        return KnownDataset('ADE20K (0 is no class)', LabelClasses(classes, None, values))
    if split.list_file is not None and names and all(VOC_NAME.match(name) for name in names):
        return _voc(contents)
    return None


def _voc(contents: Sequence[PairContent]) -> KnownDataset | None:
    if any(content.coloured for content in contents):
        colours = {voc_colour(label): label for label in range(VOC_CLASSES)}
        colours[VOC_BORDER] = NO_CLASS
        if not total(contents, coloured=True).keys() <= colours.keys():
            return None
        return KnownDataset(
            'Pascal VOC (colours of its palette)',
            LabelClasses(_names('voc'), None, None, colours),
        )
    if not total(contents).keys() <= {*range(VOC_CLASSES), NO_CLASS}:
        return None
    return KnownDataset('Pascal VOC', LabelClasses(_names('voc'), NO_CLASS))


def voc_names() -> tuple[str, ...]:
    """Return Pascal VOC's classes, the background first."""
    return _names('voc')


def voc_colour(label: int) -> int:
    """Return a class's colour in VOC's palette (VOCdevkit's VOClabelcolormap.m) as 0xRRGGBB."""
    colour = 0
    for bit in range(8):
        for channel, shift in enumerate((16, 8, 0)):
            colour |= (label >> 3 * bit + channel & 1) << 7 - bit << shift
    return colour


def _names(dataset: str) -> tuple[str, ...]:
    """Read a dataset's class names from mmseg, which takes seconds to import."""
    from mmseg.utils import class_names

    names: list[str] = getattr(class_names, f'{dataset}_classes')()
    return tuple(names)


__all__ = ['KnownDataset', 'known_dataset', 'voc_colour', 'voc_names']
