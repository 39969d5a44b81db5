"""EfficientDet's neck and head in one table of names: ours, effdet's and mmdet's project's.

Beside `formats.py`, which has the backbone's. Sources: the state dicts of effdet 0.4
(`efficientdet.py`) and of mmdet 3.3's `projects/EfficientDet` (`efficientdet/{bifpn,utils,
efficientdet_head}.py`), which exists for P3–P7 only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import nn

from effnet_dense.models import BiFPN, EfficientDetHead
from effnet_dense.models.bifpn import bifpn_nodes

_WEIGHT = ('.weight',)
_CONV = ('.weight', '.bias')
_NORM = ('.weight', '.bias', '.running_mean', '.running_var', '.num_batches_tracked')

Fields = dict[str, object]


@dataclass(frozen=True)
class Names:
    """A module's names, and the endings of the keys of its tensors.

    The names may use the fields of `_neck_fields` and `_head_fields`.
    """

    endings: tuple[str, ...]
    ours: str
    effdet: str
    mmdet: str


# The 1×1 convolution that the first additional level is pooled from.
_EXTRA = (
    Names(
        _CONV,
        ours='neck.extra.conv',
        effdet='fpn.resample.{inputs}.conv.conv',
        mmdet='neck.bifpn.0.p5_to_p6.0.down_conv',
    ),
    Names(
        _NORM,
        ours='neck.extra.bn',
        effdet='fpn.resample.{inputs}.conv.bn',
        mmdet='neck.bifpn.0.p5_to_p6.0.bn',
    ),
)
# Of a node's input, where it comes from the backbone. Inputs are counted within their node by us,
# within their cell by effdet.
_PROJECTION = (
    Names(
        _CONV,
        ours='neck.cells.{cell}.nodes.{node}.projections.{position}.conv',
        effdet='fpn.cell.{cell}.fnode.{node}.combine.resample.{input}.conv.conv',
        mmdet='neck.bifpn.{cell}.p{level}_{edge}.down_conv',
    ),
    Names(
        _NORM,
        ours='neck.cells.{cell}.nodes.{node}.projections.{position}.bn',
        effdet='fpn.cell.{cell}.fnode.{node}.combine.resample.{input}.conv.bn',
        mmdet='neck.bifpn.{cell}.p{level}_{edge}.bn',
    ),
)
_NODE = (
    Names(
        ('',),
        ours='neck.cells.{cell}.nodes.{node}.fuse.edge_weights',
        effdet='fpn.cell.{cell}.fnode.{node}.combine.edge_weights',
        mmdet='neck.bifpn.{cell}.p{level}_w{way}',
    ),
    Names(
        _WEIGHT,
        ours='neck.cells.{cell}.nodes.{node}.conv.depthwise',
        effdet='fpn.cell.{cell}.fnode.{node}.after_combine.conv.conv_dw',
        mmdet='neck.bifpn.{cell}.conv{level}_{to}.depthwise_conv',
    ),
    Names(
        _CONV,
        ours='neck.cells.{cell}.nodes.{node}.conv.pointwise',
        effdet='fpn.cell.{cell}.fnode.{node}.after_combine.conv.conv_pw',
        mmdet='neck.bifpn.{cell}.conv{level}_{to}.pointwise_conv',
    ),
    Names(
        _NORM,
        ours='neck.cells.{cell}.nodes.{node}.conv.bn',
        effdet='fpn.cell.{cell}.fnode.{node}.after_combine.conv.bn',
        mmdet='neck.bifpn.{cell}.conv{level}_{to}.bn',
    ),
)
# mmdet's names for the two ways through a cell: to the finer levels first, then back.
_WAYS: tuple[Fields, Fields] = (
    dict(way=1, to='up', edge='down_channel'),
    dict(way=2, to='down', edge='level_connection'),
)

_REPEAT = (
    Names(
        _WEIGHT,
        ours='bbox_head.{branch}_convs.{repeat}.depthwise',
        effdet='{net}.conv_rep.{repeat}.conv_dw',
        mmdet='bbox_head.{branch}_conv_list.{repeat}.depthwise_conv',
    ),
    Names(
        _CONV,
        ours='bbox_head.{branch}_convs.{repeat}.pointwise',
        effdet='{net}.conv_rep.{repeat}.conv_pw',
        mmdet='bbox_head.{branch}_conv_list.{repeat}.pointwise_conv',
    ),
)
_LEVEL_NORM = (
    Names(
        _NORM,
        ours='bbox_head.{branch}_norms.{repeat}.{level}',
        effdet='{net}.bn_rep.{repeat}.{level}.bn',
        mmdet='bbox_head.{branch}_bn_list.{repeat}.{level}',
    ),
)
_PREDICT = (
    Names(
        _WEIGHT,
        ours='bbox_head.{branch}_predict.depthwise',
        effdet='{net}.predict.conv_dw',
        mmdet='bbox_head.{branch}_header.depthwise_conv',
    ),
    Names(
        _CONV,
        ours='bbox_head.{branch}_predict.pointwise',
        effdet='{net}.predict.conv_pw',
        mmdet='bbox_head.{branch}_header.pointwise_conv',
    ),
)
_NETS = (dict(branch='cls', net='class_net'), dict(branch='reg', net='box_net'))

# Where the keys of our parts begin in effdet.
EFFDET_ROOTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {'neck': ('fpn.',), 'bbox_head': ('class_net.', 'box_net.')}
)


def detector_parts(model: nn.Module) -> dict[str, BiFPN | EfficientDetHead]:
    """A model's `neck` and `bbox_head`, as far as they are EfficientDet's of ours."""
    parts: dict[str, BiFPN | EfficientDetHead] = {}
    for name, kind in (('neck', BiFPN), ('bbox_head', EfficientDetHead)):
        part = getattr(model, name, None)
        if isinstance(part, kind):
            parts[name] = part
    return parts


def detector_table(model: nn.Module, format: str) -> dict[str, str]:
    """Lay our names of a detector's neck and head beside another ecosystem's.

    Args:
        model: A detector; parts that are not `BiFPN` or `EfficientDetHead` have no rows.
        format: 'effdet', or 'mmdet' for its project's names. Other formats have no detectors.

    Returns:
        Key of our detector's state dict ('neck.…', 'bbox_head.…') → key of theirs, for every
        tensor that a detector of these sizes can have: with and without biases before a norm,
        weighted sums, projections.
    """
    if format not in ('effdet', 'mmdet'):
        return {}
    table = {}
    for part in detector_parts(model).values():
        fields = _neck_fields(part) if isinstance(part, BiFPN) else _head_fields(part)
        for names, values in fields:
            ours = names.ours.format_map(values)
            theirs = getattr(names, format).format_map(values)
            table.update({ours + ending: theirs + ending for ending in names.endings})
    return table


def _neck_fields(neck: BiFPN) -> Iterator[tuple[Names, Fields]]:
    inputs = len(neck.in_channels) - neck.start_level
    for names in _EXTRA:
        yield names, dict(inputs=inputs)
    for cell in range(len(neck.cells)):
        for number, node in enumerate(bifpn_nodes(neck.num_outs)):
            way = _WAYS[number >= neck.num_outs - 1]
            fields = dict(way, cell=cell, node=number, level=node.level + 3)
            for names in _NODE:
                yield names, fields
            for position, input in enumerate(node.inputs):
                if cell == 0 and input < inputs:
                    for names in _PROJECTION:
                        yield names, dict(fields, position=position, input=input)


def _head_fields(head: EfficientDetHead) -> Iterator[tuple[Names, Fields]]:
    for net in _NETS:
        for names in _PREDICT:
            yield names, dict(net)
        for repeat in range(head.stacked_convs):
            for names in _REPEAT:
                yield names, dict(net, repeat=repeat)
            for level in range(head.prior_generator.num_levels):
                for names in _LEVEL_NORM:
                    yield names, dict(net, repeat=repeat, level=level)
