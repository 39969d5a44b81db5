"""Find out what the pixels of label maps mean where classes.json says it in part or is missing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from effnet_dense.data.label_maps.classes import IGNORE, LabelClasses
from effnet_dense.data.label_maps.colours import colour_name
from effnet_dense.data.label_maps.decode import NO_CLASS
from effnet_dense.data.label_maps.reading import Counts, PairContent, total

BACKGROUND = 'background'
BINARY = (BACKGROUND, 'foreground')

SMOOTHED = 0.1
"""Share of the pixels that smoothed borders of a mask may have."""

RARE = 0.001
"""Share of the pixels below which a colour is not worth a class where there are many."""

MANY = 40
"""More colours than anyone would name."""

Read = tuple[LabelClasses, tuple[str, ...]]
"""Classes, and remarks on what was decided."""


def is_binary(counts: Counts) -> bool:
    """Whether values are those of a mask of 0 and 255, perhaps with smoothed borders."""
    white = counts.get(NO_CLASS, 0)
    others = sum(counts.values()) - counts.get(0, 0) - white
    return white > counts.get(1, 0) and others <= SMOOTHED * sum(counts.values())


def complete_classes(classes: LabelClasses, contents: Sequence[PairContent]) -> Read:
    """Complete what classes.json says by the values or colours that the files hold.

    Two classes with the values 0 and 255 are numbered so; black, or 0, becomes the background
    beside a single class; and 255 has no class where a list of names does not say so.
    """
    if classes.colours is not None or classes.values is not None:
        return _with_background(classes, contents)
    found = total([content for content in contents if not content.coloured])
    if len(classes.names) == 2 and classes.ignore is None and is_binary(found):
        first, second = classes.names
        values = {0: 0, NO_CLASS: 1}
        remark = f'the values 0 and {NO_CLASS} are read as the two classes {first} and {second}'
        return replace(classes, values=values), (remark,)
    return classes, ()


def _with_background(classes: LabelClasses, contents: Sequence[PairContent]) -> Read:
    """Add a background where one class is listed and the other pixels are all 0 or black."""
    table = classes.values if classes.colours is None else classes.colours
    if table is None or len(classes.names) != 1 or classes.unknown_ignored:
        return classes, ()
    coloured = classes.colours is not None
    found = total(contents, coloured)
    what = 'black' if coloured else '0'
    if found.keys() - table.keys() == {0} and BACKGROUND not in classes.names:
        shifted = {code: label if label == NO_CLASS else label + 1 for code, label in table.items()}
        table = {0: 0, **shifted}
        values, colours = (None, table) if coloured else (table, None)
        names = (BACKGROUND, *classes.names)
        remark = f'{what}, which is not listed, is read as the class {BACKGROUND}'
        return replace(classes, names=names, values=values, colours=colours), (remark,)
    return classes, (
        f'{classes.names[0]} is the only class and all other pixels are ignored, so that a model '
        f'learns to find it everywhere: name them "{BACKGROUND}" to tell them apart',
    )


def useless_ignore(classes: LabelClasses, contents: Sequence[PairContent]) -> str:
    """Say that one of two classes is ignored in all files; '' if not."""
    binary = total(contents).keys() == {0, NO_CLASS}
    if classes.ignore != NO_CLASS or len(classes.names) != 2 or not binary:
        return ''
    return (
        f'error: the label maps hold only 0 and {NO_CLASS}, and classes.json ignores {NO_CLASS}, '
        f'so that only {classes.names[0]!r} remains: without "ignore": {NO_CLASS} the two values '
        'are read as the two classes'
    )


def default_classes(contents: Sequence[PairContent]) -> Read | None:
    """Name the classes of masks with two values and of palette images; None for others."""
    if not contents or any(content.coloured or content.bad_label for content in contents):
        return None
    found = total(contents)
    hint = 'no classes.json: the names {} are made up, write yours into one'
    if set(found) <= {0, 1} or is_binary(found):
        deep = NO_CLASS in found
        values = {0: 0, NO_CLASS: 1} if deep else None
        listed = f'{BINARY[0]} (0) and {BINARY[1]} ({NO_CLASS if deep else 1})'
        return LabelClasses(BINARY, None, values), (hint.format(listed),)
    labels = [value for value in found if value != NO_CLASS]
    if not all(content.palette for content in contents) or not 1 <= max(labels) < NO_CLASS - 1:
        return None
    names = (BACKGROUND, *(f'class_{value}' for value in range(1, max(labels) + 1)))
    ignore = NO_CLASS if NO_CLASS in found else None
    remark = hint.format(f'{names[0]}, {names[1]}, … of the palette images')
    if ignore is not None:
        remark += f'; {NO_CLASS} is ignored'
    return LabelClasses(names, ignore), (remark,)


def suggestion(contents: Sequence[PairContent]) -> str:
    """Describe what the files hold, with a classes.json to complete and paste."""
    coloured = any(content.coloured for content in contents)
    counts = total(contents, coloured)
    if not counts:
        return ''
    pixels = sum(counts.values())
    ranked = sorted(counts, key=lambda code: -counts[code])
    kept = [c for c in ranked if len(counts) <= MANY or counts[c] >= RARE * pixels][:MANY]
    write = colour_name if coloured else str
    listed = ', '.join(
        f'{write(code)} {counts[code]} ({counts[code] / pixels:.1%})' for code in kept
    )
    kind = 'colours' if coloured else 'values'
    lines = [f'The label maps hold the {kind} (pixels) {listed}.']
    table: dict[str, object] = {kind: {write(code): _placeholder(code, coloured) for code in kept}}
    if len(kept) < len(counts):
        share = sum(counts[code] for code in ranked[len(kept) :]) / pixels
        lines.append(
            f'{len(counts) - len(kept)} rarer ones have {share:.1%} of the pixels, as smoothed '
            f'borders do; "unknown": "{IGNORE}" leaves them out.'
        )
        table['unknown'] = IGNORE
    lines.append('A classes.json to complete with your names:')
    lines.append('  ' + json.dumps(table))
    return '\n'.join(lines)


def binary_suggestion(contents: Sequence[PairContent]) -> str:
    """Propose a classes.json that leaves out the smoothed borders of masks of 0 and 255."""
    if not is_binary(total(contents)):
        return ''
    table = {'values': {'0': BINARY[0], str(NO_CLASS): BINARY[1]}, 'unknown': IGNORE}
    return f'A classes.json that leaves out all values but 0 and {NO_CLASS}:\n  {json.dumps(table)}'


def _placeholder(code: int, coloured: bool) -> str:
    if code == 0:
        return BACKGROUND
    if not coloured and code == NO_CLASS:
        return IGNORE
    return f'class_{f"{code:06x}" if coloured else code}'
