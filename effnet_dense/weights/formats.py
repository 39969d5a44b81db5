"""One table of names: how each ecosystem calls the modules of an EfficientNet.

A `Naming` lists an ecosystem's names role by role; `name_table` lays ours beside theirs for one
architecture. The way back is the same table read from right to left, so nothing here knows
whether weights are being loaded or exported.

Sources: the state dicts of timm 1.0, torchvision 0.29, efficientnet-pytorch 0.7, mmdet 3.3
(`models/backbones/efficientnet.py`), mmpretrain 1.2 (`efficientnet_v2.py`), effdet 0.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from effnet_dense.scaling import Architecture, BlockRow

# A convolution and its norm; for the role 'se' the two convolutions that squeeze and excite.
Pair = tuple[str, str]

_NORM = ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')
_SUFFIXES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    'conv_norm': (('weight',), _NORM),
    'se': (('weight', 'bias'), ('weight', 'bias')),
}
_LINEAR = ('weight', 'bias')
# Where (a place, 'stem', 'head', 'fc'), what, which of the pair, and the suffixes of its tensors.
Role = tuple[object, str, int, tuple[str, ...]]
BACKBONE = 'backbone.'


@dataclass(frozen=True)
class Naming:
    """One ecosystem's names.

    `block`, `stem` and `head` may use the fields of `_places`: row and block within the row
    (both from 0), flat (blocks from 0), stage (row + 1), layer (1…5, of stride 2^layer) and
    position within the layer, and last (the number of rows + 1).
    `blocks` has a kind of block (see `_kind`), then a role: an absent kind does not exist there.
    """

    block: str
    stem: Pair
    head: Pair | None
    fc: str | None
    blocks: Mapping[str, Mapping[str, Pair]]
    prefix: str = ''  # in front of everything but `fc` in a whole model's state dict
    needs_se: bool = False  # an MBConv without SE does not exist there


_OPENMMLAB_BLOCKS: Mapping[str, Mapping[str, Pair]] = {
    'mbconv': {
        'expand': ('expand_conv.conv', 'expand_conv.bn'),
        'depthwise': ('depthwise_conv.conv', 'depthwise_conv.bn'),
        'se': ('se.conv1.conv', 'se.conv2.conv'),
        'project': ('linear_conv.conv', 'linear_conv.bn'),
    },
    'mbconv1': {
        'depthwise': ('depthwise_conv.conv', 'depthwise_conv.bn'),
        'se': ('se.conv1.conv', 'se.conv2.conv'),
        'project': ('linear_conv.conv', 'linear_conv.bn'),
    },
    'fused': {
        'expand': ('conv1.conv', 'conv1.bn'),
        'se': ('se.conv1.conv', 'se.conv2.conv'),
        'project': ('conv2.conv', 'conv2.bn'),
    },
    'fused1': {
        'expand': ('conv1.conv', 'conv1.bn'),
        'se': ('se.conv1.conv', 'se.conv2.conv'),
    },
}

_MMDET = Naming(
    block='layers.{layer}.{position}',
    stem=('layers.0.conv', 'layers.0.bn'),
    head=('layers.6.conv', 'layers.6.bn'),
    fc='head.fc',
    blocks=_OPENMMLAB_BLOCKS,
    prefix=BACKBONE,
)

# mmpretrain has a class of its own for V2, with a layer for each row of the table.
_MMPRETRAIN_V2 = Naming(
    block='layers.{stage}.{index}',
    stem=('layers.0.conv', 'layers.0.bn'),
    head=('layers.{last}.conv', 'layers.{last}.bn'),
    fc='head.fc',
    blocks={**_OPENMMLAB_BLOCKS, 'fused1': {'expand': ('conv', 'bn')}},
    prefix=BACKBONE,
)

_TIMM_BLOCKS: Mapping[str, Mapping[str, Pair]] = {
    'mbconv': {
        'expand': ('conv_pw', 'bn1'),
        'depthwise': ('conv_dw', 'bn2'),
        'se': ('se.conv_reduce', 'se.conv_expand'),
        'project': ('conv_pwl', 'bn3'),
    },
    'mbconv1': {
        'depthwise': ('conv_dw', 'bn1'),
        'se': ('se.conv_reduce', 'se.conv_expand'),
        'project': ('conv_pw', 'bn2'),
    },
    'fused': {
        'expand': ('conv_exp', 'bn1'),
        'se': ('se.conv_reduce', 'se.conv_expand'),
        'project': ('conv_pwl', 'bn2'),
    },
    'fused1': {'expand': ('conv', 'bn1')},
}

NAMINGS: Mapping[str, Naming] = MappingProxyType(
    {
        'mmdet': _MMDET,
        'mmpretrain': _MMPRETRAIN_V2,
        'effdet': Naming(
            block='blocks.{row}.{index}',
            stem=('conv_stem', 'bn1'),
            head=None,
            fc=None,
            blocks=_TIMM_BLOCKS,
            prefix=BACKBONE,
        ),
        'timm': Naming(
            block='blocks.{row}.{index}',
            stem=('conv_stem', 'bn1'),
            head=('conv_head', 'bn2'),
            fc='classifier',
            blocks=_TIMM_BLOCKS,
        ),
        'torchvision': Naming(
            block='features.{stage}.{index}.block',
            stem=('features.0.0', 'features.0.1'),
            head=('features.{last}.0', 'features.{last}.1'),
            fc='classifier.1',
            blocks={
                'mbconv': {
                    'expand': ('0.0', '0.1'),
                    'depthwise': ('1.0', '1.1'),
                    'se': ('2.fc1', '2.fc2'),
                    'project': ('3.0', '3.1'),
                },
                'mbconv1': {
                    'depthwise': ('0.0', '0.1'),
                    'se': ('1.fc1', '1.fc2'),
                    'project': ('2.0', '2.1'),
                },
                'fused': {'expand': ('0.0', '0.1'), 'project': ('1.0', '1.1')},
                'fused1': {'expand': ('0.0', '0.1')},
            },
            needs_se=True,
        ),
        'efficientnet_pytorch': Naming(
            block='_blocks.{flat}',
            stem=('_conv_stem', '_bn0'),
            head=('_conv_head', '_bn1'),
            fc='_fc',
            blocks={
                'mbconv': {
                    'expand': ('_expand_conv', '_bn0'),
                    'depthwise': ('_depthwise_conv', '_bn1'),
                    'se': ('_se_reduce', '_se_expand'),
                    'project': ('_project_conv', '_bn2'),
                },
                'mbconv1': {
                    'depthwise': ('_depthwise_conv', '_bn1'),
                    'se': ('_se_reduce', '_se_expand'),
                    'project': ('_project_conv', '_bn2'),
                },
            },
        ),
    }
)
FORMATS = tuple(NAMINGS)


@dataclass(frozen=True)
class Place:
    """Where a block stands, counted in every way that an ecosystem counts."""

    row: int
    index: int
    flat: int
    stage: int
    layer: int
    position: int


def name_table(architecture: Architecture, format: str) -> dict[str, str]:
    """Lay our names beside another ecosystem's.

    Args:
        architecture: Of the network; decides which blocks there are.
        format: One of `FORMATS`.

    Returns:
        Key of our classifier's state dict ('backbone.layers.…', 'head.fc.…') → key of theirs,
        for every key that they have. effdet has neither the 1×1 head nor a classifier.

    Raises:
        ValueError: The format is unknown, or that ecosystem has no such network.
    """
    naming = naming_for(architecture, format)
    theirs = _modules(architecture, naming)
    ours = _modules(architecture, _MMDET)
    return {
        f'{ours[role]}.{suffix}': f'{name}.{suffix}'
        for role, name in theirs.items()
        for suffix in role[-1]
    }


def naming_for(architecture: Architecture, format: str) -> Naming:
    """The names that an ecosystem uses for this architecture.

    Raises:
        ValueError: The format is unknown, or that ecosystem has no such network.
    """
    if format not in NAMINGS:
        raise ValueError(f'format must be one of {FORMATS}, got {format!r}')
    fused = any(row.block == 'fused' and row.expand == 1 for row in architecture.rows)
    if format == 'mmpretrain' and not fused:
        return _MMDET  # mmdet copied everything but V2 from there
    naming = NAMINGS[format]
    for row in architecture.rows:
        roles = naming.blocks.get(_kind(row))
        lacks_se = naming.needs_se and row.block == 'mbconv' and not row.se
        if roles is None or lacks_se or (row.se and 'se' not in roles):
            raise ValueError(f'{format} has no network like {architecture.name!r}: {row}')
    return naming


def find_stem(keys: Iterable[str], format: str) -> list[str]:
    """The prefixes under which the stem's convolution stands in a state dict, ascending."""
    stem = f'{NAMINGS[format].stem[0]}.weight'
    return sorted(key.removesuffix(stem) for key in keys if key == stem or key.endswith('.' + stem))


def layer_of(key: str, architecture: Architecture, format: str) -> int | None:
    """Which of our layers 0…6 a key of theirs belongs to, even where we have no such block.

    Blocks beyond the last one that we know count as its neighbours. None: no part of a backbone.
    """
    naming = naming_for(architecture, format)
    key = key.removeprefix(naming.prefix)
    fields = [re.escape(part) for part in re.split(r'\{\w+\}', naming.block)]
    numbers = re.match(r'(\d+)'.join(fields) + r'\.', key)
    if numbers:
        first_field = re.findall(r'\{(\w+)\}', naming.block)[0]
        places = [place for place, _ in _places(architecture)]
        known = [p for p in places if getattr(p, first_field) <= int(numbers[1])]
        return known[-1].layer if known else 0
    for layer, pair in ((0, naming.stem), (6, naming.head)):
        names = [name.format(last=len(architecture.rows) + 1) for name in pair or ()]
        if any(key.startswith(f'{name}.') for name in names):
            return layer
    return None


def _kind(row: BlockRow) -> str:
    return f'{row.block}1' if row.expand == 1 else row.block


def _places(architecture: Architecture) -> Iterator[tuple[Place, BlockRow]]:
    layer, position, flat = 1, 0, 0
    for number, row in enumerate(architecture.rows):
        if row.stride == 2:
            layer, position = layer + 1, 0
        for index in range(row.repeats):
            yield Place(number, index, flat, number + 1, layer, position), row
            position, flat = position + 1, flat + 1


def _modules(architecture: Architecture, naming: Naming) -> dict[Role, str]:
    """Role → a module's name."""
    roles: dict[Role, str] = {}

    def add(where: object, role: str, pair: Pair, kind: str = 'conv_norm') -> None:
        for part, (name, suffixes) in enumerate(zip(pair, _SUFFIXES[kind], strict=True)):
            roles[where, role, part, suffixes] = naming.prefix + name

    def ends(pair: Pair) -> Pair:
        last = len(architecture.rows) + 1
        return pair[0].format(last=last), pair[1].format(last=last)

    add('stem', 'conv', naming.stem)
    for place, row in _places(architecture):
        block = naming.block.format_map(vars(place))
        for role, (first, second) in naming.blocks[_kind(row)].items():
            if role != 'se':
                add(place, role, (f'{block}.{first}', f'{block}.{second}'))
            elif row.se:
                add(place, role, (f'{block}.{first}', f'{block}.{second}'), 'se')
    if naming.head:
        add('head', 'conv', ends(naming.head))
    if naming.fc:
        roles['fc', 'linear', 0, _LINEAR] = naming.fc
    return roles
