"""Names of EfficientDet's neck and head: ours, effdet's and those of mmdet's project.

One table, read in both directions, as the backbone's in `backbone_names`. Sources: the state dicts
of effdet 0.4 (`efficientdet.py`) and of mmdet 3.3's `projects/EfficientDet`
(`efficientdet/{bifpn,utils,efficientdet_head}.py`), which exists for P3–P7 only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import nn

from effnet_dense.models import BiFPN, EfficientDetHead
from effnet_dense.models.bifpn import bifpn_nodes
from effnet_dense.weights.backbone_names import CONV, CONV_BIAS, NORM

Fields = dict[str, object]


@dataclass(frozen=True)
class DetectorNames:
    """A module's names, which may use the fields of `_neck_modules` or `_head_modules`."""

    endings: tuple[str, ...]  # of the keys of its tensors
    ours: str
    effdet: str
    mmdet: str


# The 1×1 convolution before the max-pooling that gives the first additional level.
_EXTRA = (
    DetectorNames(
        CONV_BIAS,
        ours='neck.extra.conv',
        effdet='fpn.resample.{inputs}.conv.conv',
        mmdet='neck.bifpn.0.p5_to_p6.0.down_conv',
    ),
    DetectorNames(
        NORM,
        ours='neck.extra.bn',
        effdet='fpn.resample.{inputs}.conv.bn',
        mmdet='neck.bifpn.0.p5_to_p6.0.bn',
    ),
)
# Projects a node's input that comes from the backbone. We count inputs within their node, effdet
# within their cell.
_PROJECTION = (
    DetectorNames(
        CONV_BIAS,
        ours='neck.cells.{cell}.nodes.{node}.projections.{position}.conv',
        effdet='fpn.cell.{cell}.fnode.{node}.combine.resample.{input}.conv.conv',
        mmdet='neck.bifpn.{cell}.p{level}_{edge}.down_conv',
    ),
    DetectorNames(
        NORM,
        ours='neck.cells.{cell}.nodes.{node}.projections.{position}.bn',
        effdet='fpn.cell.{cell}.fnode.{node}.combine.resample.{input}.conv.bn',
        mmdet='neck.bifpn.{cell}.p{level}_{edge}.bn',
    ),
)
_NODE = (
    DetectorNames(
        ('',),
        ours='neck.cells.{cell}.nodes.{node}.fuse.edge_weights',
        effdet='fpn.cell.{cell}.fnode.{node}.combine.edge_weights',
        mmdet='neck.bifpn.{cell}.p{level}_w{way}',
    ),
    DetectorNames(
        CONV,
        ours='neck.cells.{cell}.nodes.{node}.conv.depthwise',
        effdet='fpn.cell.{cell}.fnode.{node}.after_combine.conv.conv_dw',
        mmdet='neck.bifpn.{cell}.conv{level}_{to}.depthwise_conv',
    ),
    DetectorNames(
        CONV_BIAS,
        ours='neck.cells.{cell}.nodes.{node}.conv.pointwise',
        effdet='fpn.cell.{cell}.fnode.{node}.after_combine.conv.conv_pw',
        mmdet='neck.bifpn.{cell}.conv{level}_{to}.pointwise_conv',
    ),
    DetectorNames(
        NORM,
        ours='neck.cells.{cell}.nodes.{node}.conv.bn',
        effdet='fpn.cell.{cell}.fnode.{node}.after_combine.conv.bn',
        mmdet='neck.bifpn.{cell}.conv{level}_{to}.bn',
    ),
)
# mmdet's names for the two paths through a cell: top-down first, then bottom-up.
_PATHS: tuple[Fields, Fields] = (
    dict(way=1, to='up', edge='down_channel'),
    dict(way=2, to='down', edge='level_connection'),
)

_REPEAT = (
    DetectorNames(
        CONV,
        ours='bbox_head.{branch}_convs.{repeat}.depthwise',
        effdet='{net}.conv_rep.{repeat}.conv_dw',
        mmdet='bbox_head.{branch}_conv_list.{repeat}.depthwise_conv',
    ),
    DetectorNames(
        CONV_BIAS,
        ours='bbox_head.{branch}_convs.{repeat}.pointwise',
        effdet='{net}.conv_rep.{repeat}.conv_pw',
        mmdet='bbox_head.{branch}_conv_list.{repeat}.pointwise_conv',
    ),
)
_LEVEL_NORM = (
    DetectorNames(
        NORM,
        ours='bbox_head.{branch}_norms.{repeat}.{level}',
        effdet='{net}.bn_rep.{repeat}.{level}.bn',
        mmdet='bbox_head.{branch}_bn_list.{repeat}.{level}',
    ),
)
_PREDICT = (
    DetectorNames(
        CONV,
        ours='bbox_head.{branch}_predict.depthwise',
        effdet='{net}.predict.conv_dw',
        mmdet='bbox_head.{branch}_header.depthwise_conv',
    ),
    DetectorNames(
        CONV_BIAS,
        ours='bbox_head.{branch}_predict.pointwise',
        effdet='{net}.predict.conv_pw',
        mmdet='bbox_head.{branch}_header.pointwise_conv',
    ),
)
_NETS = (dict(branch='cls', net='class_net'), dict(branch='reg', net='box_net'))

# Our part → the prefixes of its keys in effdet.
EFFDET_PREFIXES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {'neck': ('fpn.',), 'bbox_head': ('class_net.', 'box_net.')}
)


def detector_parts(model: nn.Module) -> dict[str, BiFPN | EfficientDetHead]:
    """Return a model's `neck` if it is a `BiFPN`, `bbox_head` if an `EfficientDetHead`."""
    parts: dict[str, BiFPN | EfficientDetHead] = {}
    for name, kind in (('neck', BiFPN), ('bbox_head', EfficientDetHead)):
        part = getattr(model, name, None)
        if isinstance(part, kind):
            parts[name] = part
    return parts


def detector_table(model: nn.Module, format: str) -> dict[str, str]:
    """Map our names of a detector's neck and head to another ecosystem's.

    Args:
        model: A detector; only a `BiFPN` and an `EfficientDetHead` have entries.
        format: 'effdet', or 'mmdet' for its project's names. Other formats have no detectors.

    Returns:
        Key of our detector's state dict ('neck.…', 'bbox_head.…') → key of theirs, for every
        tensor that a detector of these sizes may have, optional ones included: biases before a
        norm, fusion weights, projections.
    """
    if format not in ('effdet', 'mmdet'):
        return {}
    table = {}
    for part in detector_parts(model).values():
        modules = _neck_modules(part) if isinstance(part, BiFPN) else _head_modules(part)
        for names, fields in modules:
            ours = names.ours.format_map(fields)
            theirs = getattr(names, format).format_map(fields)
            table.update({ours + ending: theirs + ending for ending in names.endings})
    return table


def _neck_modules(neck: BiFPN) -> Iterator[tuple[DetectorNames, Fields]]:
    inputs = len(neck.in_channels) - neck.start_level
    for names in _EXTRA:
        yield names, dict(inputs=inputs)
    for cell in range(len(neck.cells)):
        for number, node in enumerate(bifpn_nodes(neck.num_outs)):
            path = _PATHS[number >= neck.num_outs - 1]
            fields = dict(path, cell=cell, node=number, level=node.level + 3)
            for names in _NODE:
                yield names, fields
            for position, input in enumerate(node.inputs):
                if cell == 0 and input < inputs:
                    for names in _PROJECTION:
                        yield names, dict(fields, position=position, input=input)


def _head_modules(head: EfficientDetHead) -> Iterator[tuple[DetectorNames, Fields]]:
    for net in _NETS:
        for names in _PREDICT:
            yield names, dict(net)
        for repeat in range(head.stacked_convs):
            for names in _REPEAT:
                yield names, dict(net, repeat=repeat)
            for level in range(head.prior_generator.num_levels):
                for names in _LEVEL_NORM:
                    yield names, dict(net, repeat=repeat, level=level)
