"""How each ecosystem names the modules of an EfficientNet: one table, read in both directions.

`name_table` fills the table in for an architecture: our key → theirs. Exporting looks keys up in
it, loading in its inverse.

Sources: the state dicts of timm 1.0, torchvision 0.29, efficientnet-pytorch 0.7, mmdet 3.3
(`models/backbones/efficientnet.py`), mmpretrain 1.2 (`efficientnet_v2.py`), effdet 0.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from effnet_dense.scaling import Architecture, BlockRow

# Endings of the keys of a module's tensors.
CONV = ('.weight',)
CONV_BIAS = ('.weight', '.bias')
NORM = ('.weight', '.bias', '.running_mean', '.running_var', '.num_batches_tracked')

BACKBONE = 'backbone.'
# Format → prefix of everything but the classifier in a complete model's state dict.
PREFIXES: Mapping[str, str] = MappingProxyType(
    {
        'mmdet': BACKBONE,
        'mmpretrain': BACKBONE,
        'effdet': BACKBONE,
        'timm': '',
        'torchvision': '',
        'efficientnet_pytorch': '',
    }
)
FORMATS = tuple(PREFIXES)


class Names(NamedTuple):
    """A module's name in every ecosystem, None where it does not exist.

    mmdet's names are ours, effdet's are timm's. Braces hold fields of `Place`, or `last`, the
    number of the architecture's rows + 1.
    """

    endings: tuple[str, ...]
    ours: str
    timm: str | None
    torchvision: str | None
    efficientnet_pytorch: str | None
    mmpretrain: str | None = '='  # '=': ours

    def of(self, format: str) -> str | None:
        """Return the name in one of `FORMATS`."""
        return {
            'mmdet': self.ours,
            'mmpretrain': self.ours if self.mmpretrain == '=' else self.mmpretrain,
            'effdet': self.timm,
            'timm': self.timm,
            'torchvision': self.torchvision,
            'efficientnet_pytorch': self.efficientnet_pytorch,
        }[format]


# The columns of all tables: endings, ours (mmdet), timm (effdet), torchvision,
# efficientnet-pytorch, and mmpretrain where its V2 differs from ours.
_STEM = (
    Names(CONV, 'layers.0.conv', 'conv_stem', 'features.0.0', '_conv_stem'),
    Names(NORM, 'layers.0.bn', 'bn1', 'features.0.1', '_bn0'),
)
# The prefix of a block's modules. mmdet merges rows of one stride into a layer; mmpretrain's V2
# has a layer for each row.
_BLOCK = Names(
    (),
    'layers.{layer}.{position}.',
    'blocks.{row}.{index}.',
    'features.{stage}.{index}.block.',
    '_blocks.{flat}.',
    'layers.{stage}.{index}.',
)
# Blocks by type; a 1 marks an expansion of 1, which lacks the 1×1 convolution and so shifts the
# numbers of timm and torchvision.
_BLOCKS: Mapping[str, tuple[Names, ...]] = MappingProxyType(
    {
        'mbconv': (
            Names(CONV, 'expand_conv.conv', 'conv_pw', '0.0', '_expand_conv'),
            Names(NORM, 'expand_conv.bn', 'bn1', '0.1', '_bn0'),
            Names(CONV, 'depthwise_conv.conv', 'conv_dw', '1.0', '_depthwise_conv'),
            Names(NORM, 'depthwise_conv.bn', 'bn2', '1.1', '_bn1'),
            Names(CONV_BIAS, 'se.conv1.conv', 'se.conv_reduce', '2.fc1', '_se_reduce'),
            Names(CONV_BIAS, 'se.conv2.conv', 'se.conv_expand', '2.fc2', '_se_expand'),
            Names(CONV, 'linear_conv.conv', 'conv_pwl', '3.0', '_project_conv'),
            Names(NORM, 'linear_conv.bn', 'bn3', '3.1', '_bn2'),
        ),
        'mbconv1': (
            Names(CONV, 'depthwise_conv.conv', 'conv_dw', '0.0', '_depthwise_conv'),
            Names(NORM, 'depthwise_conv.bn', 'bn1', '0.1', '_bn1'),
            Names(CONV_BIAS, 'se.conv1.conv', 'se.conv_reduce', '1.fc1', '_se_reduce'),
            Names(CONV_BIAS, 'se.conv2.conv', 'se.conv_expand', '1.fc2', '_se_expand'),
            Names(CONV, 'linear_conv.conv', 'conv_pw', '2.0', '_project_conv'),
            Names(NORM, 'linear_conv.bn', 'bn2', '2.1', '_bn2'),
        ),
        'fused': (
            Names(CONV, 'conv1.conv', 'conv_exp', '0.0', None),
            Names(NORM, 'conv1.bn', 'bn1', '0.1', None),
            Names(CONV_BIAS, 'se.conv1.conv', 'se.conv_reduce', None, None),
            Names(CONV_BIAS, 'se.conv2.conv', 'se.conv_expand', None, None),
            Names(CONV, 'conv2.conv', 'conv_pwl', '1.0', None),
            Names(NORM, 'conv2.bn', 'bn2', '1.1', None),
        ),
        'fused1': (
            Names(CONV, 'conv1.conv', 'conv', '0.0', None, 'conv'),
            Names(NORM, 'conv1.bn', 'bn1', '0.1', None, 'bn'),
            Names(CONV_BIAS, 'se.conv1.conv', None, None, None, None),
            Names(CONV_BIAS, 'se.conv2.conv', None, None, None, None),
        ),
    }
)
_HEAD = (
    Names(
        *(CONV, 'layers.6.conv', 'conv_head', 'features.{last}.0', '_conv_head'),
        'layers.{last}.conv',
    ),
    Names(NORM, 'layers.6.bn', 'bn2', 'features.{last}.1', '_bn1', 'layers.{last}.bn'),
)
_CLASSIFIER = Names(CONV_BIAS, 'head.fc', 'classifier', 'classifier.1', '_fc')


@dataclass(frozen=True)
class Place:
    """A block's position, in each ecosystem's way of counting."""

    row: int  # of the architecture, from 0
    index: int  # within the row, from 0
    flat: int  # within the network, from 0
    stage: int  # row + 1
    layer: int  # 1…5, of stride 2^layer
    position: int  # within the layer, from 0


def name_table(architecture: Architecture, format: str) -> dict[str, str]:
    """Map our names to another ecosystem's.

    Args:
        architecture: Determines the blocks.
        format: One of `FORMATS`.

    Returns:
        Key of our classifier's state dict ('backbone.layers.…', 'head.fc.…') → key of theirs,
        for every key that they have. effdet has neither the 1×1 head nor a classifier.

    Raises:
        ValueError: The format is unknown, or that ecosystem has no such network.
    """
    column = _column(architecture, format)
    table = {}
    for names, fields in _modules(architecture, with_head=format != 'effdet'):
        ours = BACKBONE + names.ours.format_map(fields)
        theirs = PREFIXES[format] + str(names.of(column)).format_map(fields)
        table.update({ours + ending: theirs + ending for ending in names.endings})
    if format != 'effdet':
        ours, theirs = _CLASSIFIER.ours, str(_CLASSIFIER.of(column))
        table.update({ours + ending: theirs + ending for ending in _CLASSIFIER.endings})
    return table


def stem_key(format: str) -> str:
    """Return the key of the stem's convolution in a backbone's state dict."""
    return f'{_STEM[0].of(format)}.weight'


def stem_prefixes(keys: Iterable[str], format: str) -> list[str]:
    """Return the prefixes before the stem's key among a state dict's keys, sorted."""
    stem = stem_key(format)
    return sorted(key.removesuffix(stem) for key in keys if key == stem or key.endswith('.' + stem))


def layer_of(key: str, architecture: Architecture, format: str) -> int | None:
    """Find which of our layers 0…6 a key of theirs belongs to, even if we have no such block.

    Blocks after the architecture's last one belong to the last layer.

    Returns:
        The layer; None for a key outside of the backbone.
    """
    column = _column(architecture, format)
    key = key.removeprefix(PREFIXES[format])
    block = str(_BLOCK.of(column))
    numbers = re.match(r'(\d+)'.join(map(re.escape, re.split(r'\{\w+\}', block))), key)
    if numbers:
        counted = re.findall(r'\{(\w+)\}', block)[0]
        places = [place for place, _ in _places(architecture)]
        before = [place for place in places if getattr(place, counted) <= int(numbers[1])]
        return before[-1].layer if before else 0
    ends = ((0, _STEM), (6, _HEAD)) if format != 'effdet' else ((0, _STEM),)
    for layer, modules in ends:
        names = [str(module.of(column)).format(last=_last(architecture)) for module in modules]
        if any(key.startswith(f'{name}.') for name in names):
            return layer
    return None


def _column(architecture: Architecture, format: str) -> str:
    """Return the format whose column of the tables names this architecture.

    Raises:
        ValueError: The format is unknown, or that ecosystem has no such network.
    """
    if format not in FORMATS:
        raise ValueError(f'format must be one of {FORMATS}, got {format!r}')
    v2 = any(row.block == 'fused' and row.expand == 1 for row in architecture.rows)
    if format == 'mmpretrain' and not v2:
        return 'mmdet'  # mmdet copied everything but V2 from there
    for row in architecture.rows:
        absent = any(names.of(format) is None for names in _block_modules(row))
        # torchvision's MBConv always has SE, which its numbers include.
        if absent or (format == 'torchvision' and row.block == 'mbconv' and not row.se):
            raise ValueError(f'{format} has no network like {architecture.name!r}: {row}')
    return format


def _modules(
    architecture: Architecture, with_head: bool
) -> Iterator[tuple[Names, Mapping[str, int]]]:
    """Yield the backbone's modules, each with the fields of its names."""
    last = dict(last=_last(architecture))
    yield from ((names, last) for names in _STEM)
    for place, row in _places(architecture):
        yield from ((_in_block(names), vars(place)) for names in _block_modules(row))
    if with_head:
        yield from ((names, last) for names in _HEAD)


def _block_modules(row: BlockRow) -> list[Names]:
    kind = f'{row.block}1' if row.expand == 1 else row.block
    return [names for names in _BLOCKS[kind] if row.se or not names.ours.startswith('se.')]


def _in_block(names: Names) -> Names:
    """Put the block's prefix before a module's name in every column."""
    columns = ('mmdet', 'timm', 'torchvision', 'efficientnet_pytorch', 'mmpretrain')
    return Names(names.endings, *(f'{_BLOCK.of(column)}{names.of(column)}' for column in columns))


def _places(architecture: Architecture) -> Iterator[tuple[Place, BlockRow]]:
    layer, position, flat = 1, 0, 0
    for number, row in enumerate(architecture.rows):
        if row.stride == 2:
            layer, position = layer + 1, 0
        for index in range(row.repeats):
            yield Place(number, index, flat, number + 1, layer, position), row
            position, flat = position + 1, flat + 1


def _last(architecture: Architecture) -> int:
    return len(architecture.rows) + 1
