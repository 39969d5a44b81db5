"""Complete EfficientDets: effdet's outputs with effdet's weights, and every error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pytest
import torch
from mmdet.models.task_modules.prior_generators import AnchorGenerator
from mmdet.registry import MODELS
from torch import Tensor, nn

from effnet_dense.models import EfficientNet
from effnet_dense.weights import export_weights, load_weights
from effnet_dense.weights.detector_names import detector_table
from effnet_dense.weights.detector_rows import COCO_USED, swap_xy, used_classes
from tests.helpers import peers
from tests.helpers.project_names import project_name

# Not square, and even down to P8 (1 × 2 cells), as effdet requires to pool P7.
SIZE = (256, 384)
State = dict[str, Tensor]
ONE = torch.ones(1)
PREDICTOR = 'bbox_head.cls_predict.pointwise.weight'
PEERS: dict[str, dict[str, Any]] = {
    'tf_efficientdet_d0': {},
    'tf_efficientdet_lite0': {},
    'efficientdet_d0': {},
    # D7x's pyramid on D0's backbone: unweighted sums, P3 to P8.
    'tf_efficientdet_d0 P8': dict(max_level=8, fpn_name='bifpn_sum', fpn_cell_repeats=2),
}


def build_peer(name: str, **overrides: Any) -> nn.Module:
    return peers.build_effdet_detector(name.split()[0], SIZE, **PEERS[name], **overrides)


# A small detector that has every kind of tensor.
TINY: dict[str, Any] = dict(
    type='RetinaNet',
    backbone=dict(
        type='effnet_dense.EfficientNet',
        arch=dict(base='b0', width=0.25, depth=0.1),
        out_indices=(3, 4, 5),
    ),
    neck=dict(
        type='effnet_dense.BiFPN',
        in_channels=[16, 32, 80],
        out_channels=8,
        num_cells=2,
        conv_bias=True,
    ),
    bbox_head=dict(
        type='effnet_dense.EfficientDetHead',
        num_classes=90,
        in_channels=8,
        stacked_convs=2,
        conv_bias=True,
    ),
)


def build(
    neck: Mapping[str, Any] = MappingProxyType({}), cfg: dict[str, Any] = TINY, **head: Any
) -> nn.Module:
    cfg = dict(cfg, neck=dict(cfg['neck'], **neck), bbox_head=dict(cfg['bbox_head'], **head))
    return MODELS.build(cfg).eval()


@pytest.fixture(scope='module')
def state() -> State:
    """The tiny detector's weights under effdet's names."""
    return export_weights(peers.randomise_(build()), 'effdet')


def assert_close(actual: Sequence[Tensor], expected: Sequence[Tensor]) -> None:
    for ours, theirs in zip(actual, expected, strict=True):
        assert ours.shape == theirs.shape
        assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max()


def assert_same(actual: State, expected: State) -> None:
    assert actual.keys() == expected.keys()
    assert not [key for key, tensor in expected.items() if not torch.equal(actual[key], tensor)]


@pytest.mark.parametrize('name', PEERS)
def test_effdet_outputs_and_round_trip(name: str) -> None:
    peer = build_peer(name)
    ours = build(cfg=peers.effdet_twin(peer))
    report = load_weights(ours, peer.state_dict())
    assert (report.format, report.missing, report.unexpected) == ('effdet', (), ())

    x = torch.randn(1, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        features = peer.fpn(peer.backbone(x))
        their_logits, their_deltas = peer.class_net(features), peer.box_net(features)
        our_features = ours.extract_feat(x)
        logits, deltas = ours.bbox_head(our_features)
    assert_close(our_features, features)
    assert_close(logits, their_logits)
    largest = max(level.abs().max() for level in deltas)  # mmdet's coder would clamp it
    boxes = decoded(ours, [level / largest for level in deltas])
    assert_close([boxes], [decoded_by_effdet(peer, [level / largest for level in their_deltas])])

    exported = export_weights(ours, 'effdet')
    assert_same(exported, peer.state_dict())
    peer.load_state_dict(exported, strict=True)


def test_effdet_loads_a_detector_of_80_classes() -> None:
    peer = build_peer('tf_efficientdet_d0', num_classes=80)
    ours = build(cfg=peers.effdet_twin(peer))
    peer.load_state_dict(export_weights(ours, 'effdet'), strict=True)
    assert torch.equal(
        peer.class_net.predict.conv_pw.weight, ours.bbox_head.cls_predict.pointwise.weight
    )


def decoded(ours: nn.Module, deltas: list[Tensor]) -> Tensor:
    sizes = [(level.shape[-2], level.shape[-1]) for level in deltas]
    priors = torch.cat(ours.bbox_head.prior_generator.grid_priors(sizes, device='cpu'))
    rows = [level[0].permute(1, 2, 0).reshape(-1, 4) for level in deltas]
    return ours.bbox_head.bbox_coder.decode(priors, torch.cat(rows))


def decoded_by_effdet(peer: nn.Module, deltas: list[Tensor]) -> Tensor:
    anchors = pytest.importorskip('effdet.anchors')
    boxes = anchors.Anchors.from_config(peer.config).boxes
    rows = [level[0].permute(1, 2, 0).reshape(-1, 4) for level in deltas]
    return anchors.decode_box_outputs(torch.cat(rows), boxes, output_xyxy=True)


def test_rows_by_hand() -> None:
    # Two anchors: y, x, h, w each.
    assert swap_xy(torch.tensor([1, 2, 3, 4, 5, 6, 7, 8])).tolist() == [2, 1, 4, 3, 6, 5, 8, 7]
    rows = torch.arange(180).reshape(180, 1)
    picked = used_classes(rows).flatten().tolist()
    # mmdet's 0 person, 11 stop sign (COCO's 13), 24 backpack (27), 79 toothbrush (90).
    assert [picked[i] for i in (0, 10, 11, 24, 79)] == [0, 10, 12, 26, 89]
    assert [picked[80 + i] for i in (0, 79)] == [90, 179]


def test_used_classes_are_those_of_coco() -> None:
    meta = pytest.importorskip('torchvision.models._meta')
    from mmdet.datasets import CocoDataset

    names = [meta._COCO_CATEGORIES[number] for number in COCO_USED]
    assert len(names) == 80
    assert tuple(names) == CocoDataset.METAINFO['classes']


def test_80_of_90_classes(state: State) -> None:
    ours = build(num_classes=80)
    assert load_weights(ours, state).missing == ()
    for key in ('weight', 'bias'):
        # The second anchor's stop sign, after one anchor of 80 and of 90 rows.
        rows = ours.bbox_head.cls_predict.pointwise.state_dict()[key]
        assert torch.equal(rows[80 + 11], state[f'class_net.predict.conv_pw.{key}'][90 + 12])
    exported = export_weights(ours, 'effdet')
    assert len(exported['class_net.predict.conv_pw.bias']) == 9 * 80
    again = build(num_classes=80)
    load_weights(again, exported)
    assert_same(again.state_dict(), ours.state_dict())


def test_other_numbers_of_classes(state: State) -> None:
    ours = build(num_classes=3)
    before = {key: tensor.clone() for key, tensor in ours.state_dict().items()}
    message = r"'class_net\.predict\.conv_pw\.\w+' has 90 classes, the model 3.*cls_predict"
    with pytest.raises(ValueError, match=message):
        load_weights(ours, state)
    assert_same(ours.state_dict(), before)
    for ignore in ('bbox_head.cls_predict', 'bbox_head.cls_predict.'):
        report = load_weights(ours, state, ignore=(ignore,))
        assert set(report.missing) == {key for key in before if 'cls_predict' in key}
        assert torch.equal(ours.bbox_head.cls_predict.pointwise.weight, before[PREDICTOR])
        assert len(report.loaded) == len(before) - len(report.missing)


@pytest.mark.parametrize('wrapper', ['model.', 'module.model.'])
def test_effdet_benches(wrapper: str, state: State) -> None:
    wrapped = {wrapper + key: tensor for key, tensor in state.items()}
    wrapped['anchors.boxes'] = torch.zeros(9, 4)
    ours = build()
    report = load_weights(ours, {'state_dict': wrapped})
    assert (report.missing, report.unexpected) == ((), ('anchors.boxes',))
    assert_same(export_weights(ours, 'effdet'), state)


def test_a_backbone_loads_its_part_of_a_detector(state: State) -> None:
    report = load_weights(EfficientNet(TINY['backbone']['arch'], out_indices=(3, 4, 5)), state)
    assert report.missing == ()
    assert all(key.startswith(('fpn', 'class_net', 'box_net')) for key in report.unexpected)


def test_backbone_weights_leave_neck_and_head_unchanged(state: State) -> None:
    backbone = {key: tensor for key, tensor in state.items() if key.startswith('backbone.')}
    report = load_weights(build(), backbone)
    assert report.unexpected == ()
    assert {key.split('.')[0] for key in report.missing} == {'neck', 'bbox_head'}


def test_another_kind_of_detector_provides_its_backbone() -> None:
    ours, state = build(), peers.randomise_(build()).state_dict()
    state = {k: v for k, v in state.items() if k.startswith('backbone.')}
    state |= {'neck.lateral_convs.0.conv.weight': ONE, 'bbox_head.retina_reg.bias': ONE}
    report = load_weights(ours, state)
    assert report.unexpected == ('neck.lateral_convs.0.conv.weight', 'bbox_head.retina_reg.bias')
    assert {key.split('.')[0] for key in report.missing} == {'neck', 'bbox_head'}


def test_backbone_and_neck_with_mmdets_head(state: State) -> None:
    """effdet's backbone and BiFPN load below another head, and are exported."""
    head = dict(
        type='RetinaHead',
        num_classes=3,
        in_channels=8,
        anchor_generator=dict(
            type='AnchorGenerator', scales=[4], ratios=[1.0], strides=[8, 16, 32, 64, 128]
        ),
    )
    ours = MODELS.build(dict(TINY, bbox_head=head))
    report = load_weights(ours, state)
    assert all(key.startswith('bbox_head.') for key in report.missing)
    assert all(key.startswith(('class_net', 'box_net')) for key in report.unexpected)
    exported = export_weights(ours, 'effdet')
    assert_same(exported, {key: v for key, v in state.items() if '_net.' not in key})


# Mismatches


@pytest.mark.parametrize(
    ('neck', 'head', 'message'),
    [
        (
            dict(conv_bias=False),
            {},
            r"has biases before the norms \('fpn\..*bias'\): build the neck with conv_bias=True",
        ),
        (
            {},
            dict(conv_bias=False),
            r"has biases before .*'(class|box)_net\..*build the bbox_head with conv_bias=True",
        ),
        (
            dict(fusion='sum'),
            {},
            r"has weighted sums \('fpn\..*edge_weights'\): build the neck with fusion='fast'",
        ),
        (dict(num_cells=1), {}, r"neck has no place for 'fpn\.cell\.1\..*ignore=\('neck\.',\)"),
        (dict(num_cells=3), {}, r"lacks 'neck\.cells\.2\..*the neck has no place for no keys"),
        ({}, dict(stacked_convs=1), r"bbox_head has no place for '(class|box)_net.*rep\.1"),
        (dict(out_channels=4), dict(in_channels=4), r"'fpn\..*has shape .*another architecture"),
        (dict(norm_cfg=dict(type='GN', num_groups=2)), {}, r'neck have other levels, repetitions'),
    ],
)
def test_other_detectors(
    neck: dict[str, Any], head: dict[str, Any], message: str, state: State
) -> None:
    ours = build(neck, **head)
    before = {key: tensor.clone() for key, tensor in ours.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        load_weights(ours, state)
    assert_same(ours.state_dict(), before)
    load_weights(ours, state, ignore=('neck.', 'bbox_head.'))


def test_options_missing_in_the_source() -> None:
    """Also under our own names."""
    plain = build(dict(conv_bias=False, fusion='sum'), conv_bias=False)
    for state in (export_weights(plain, 'effdet'), plain.state_dict()):
        with pytest.raises(ValueError, match=r'lacks biases .*neck\..*neck with conv_bias=False'):
            load_weights(build(dict(fusion='sum')), state)
        with pytest.raises(ValueError, match=r'bbox_head with conv_bias=False'):
            load_weights(build(dict(fusion='sum', conv_bias=False)), state)
        with pytest.raises(ValueError, match=r"lacks weighted sums .*fusion='sum'"):
            load_weights(build(dict(conv_bias=False)), state)


def test_another_pyramid() -> None:
    """effdet's quad FPN has more nodes."""
    peer = peers.build_effdet_detector('efficientdet_q0', (128, 128))
    with pytest.raises(ValueError, match=r"neck has no place for 'fpn\.cell\.0\.fnode"):
        load_weights(build(cfg=peers.effdet_twin(peer)), peer.state_dict())


ANCHORS = dict(
    type='AnchorGenerator',
    strides=[8, 16, 32, 64, 128],
    ratios=[1.0, 0.5, 2.0],
    octave_base_scale=4,
    scales_per_octave=3,
    center_offset=0.5,
)
EFFDET_ANCHORS = dict(type='effnet_dense.EfficientDetAnchorGenerator', strides=[8, 16, 32, 64, 128])


@pytest.mark.parametrize(
    'generator',
    [
        dict(ANCHORS, scale_major=False),
        dict(EFFDET_ANCHORS, aspects=((1, 1), (0.7, 1.4), (1.4, 0.7))),
        dict(EFFDET_ANCHORS, scales_per_octave=2),
    ],
)
def test_anchors_must_be_effdets(generator: dict[str, Any], state: State) -> None:
    ours = build(anchor_generator=generator)
    message = r'effdet names\) belong to other anchors.*effnet_dense\.EfficientDetAnchorGenerator'
    with pytest.raises(ValueError, match=message):
        load_weights(ours, state)
    if generator.get('scales_per_octave') != 2:
        report = load_weights(ours, state, ignore=('bbox_head.reg_predict',))
        assert all('reg_predict' in key for key in report.missing)


def test_unnamed_tensors_are_not_exported() -> None:
    ours = build(dict(norm_cfg=dict(type='GN', num_groups=2)))
    with pytest.raises(ValueError, match=r"effdet has no name for 'neck\..*\.gn\.bias'"):
        export_weights(ours, 'effdet')
    assert export_weights(ours, 'timm').keys() == export_weights(ours.backbone, 'timm').keys()


# Named sources


@pytest.mark.parametrize(
    ('name', 'neck', 'head', 'message'),
    [
        ('tf_efficientdet_d0_34-f153e0cf.pth', {}, {}, None),
        (
            'tf_efficientdet_d0_34-f153e0cf.pth',
            dict(padding='symmetric'),
            {},
            "need padding='same' in the neck, got 'symmetric'",
        ),
        (
            'tf_efficientdet_d0_34-f153e0cf.pth',
            {},
            dict(norm_cfg=dict(type='BN', eps=1e-5)),
            "need eps=0.001 in the bbox_head's norm_cfg, got 1e-05",
        ),
        (
            'tf_efficientdet_d0_34-f153e0cf.pth',
            {},
            dict(anchor_generator=dict(EFFDET_ANCHORS, octave_base_scale=3)),
            'octave_base_scale.: 4',
        ),
        ('tf_efficientdet_lite0-dfacfc78.pth', {}, {}, 'octave_base_scale.: 3'),
        (
            'tf_efficientdet_lite0-dfacfc78.pth',
            {},
            dict(anchor_generator=dict(EFFDET_ANCHORS, octave_base_scale=3)),
            None,
        ),
        ('efficientdet_d0-f3276ba8.pth', {}, {}, "need padding='symmetric' in the backbone"),
        ('mine.pth', dict(padding='symmetric'), {}, None),
    ],
)
def test_released_files(
    name: str,
    neck: dict[str, Any],
    head: dict[str, Any],
    message: str | None,
    tmp_path: Any,
) -> None:
    path = tmp_path / name
    ours = build(neck, **head)
    torch.save(export_weights(ours, 'effdet'), path)
    if message is None:
        assert load_weights(ours, path).missing == ()
        return
    with pytest.raises(ValueError, match=message):
        load_weights(ours, path)


def test_the_padding_of_an_ignored_neck_is_not_checked(tmp_path: Any) -> None:
    path = tmp_path / 'tf_efficientdet_d0_34-f153e0cf.pth'
    ours = build(dict(padding='symmetric'))
    torch.save(export_weights(ours, 'effdet'), path)
    report = load_weights(ours, path, ignore=('neck.',))
    assert all(key.startswith('neck.') for key in report.missing)


# mmdet's project


def test_mmdet_project() -> None:
    original = peers.randomise_(build(anchor_generator=ANCHORS))
    state = {project_name(key): tensor for key, tensor in original.state_dict().items()}
    for key in (
        'neck.bifpn.0.p5_down_channel.down_conv.weight',
        'neck.bifpn.0.p4_level_connection.bn.running_var',
        'neck.bifpn.0.p5_to_p6.0.down_conv.bias',
        'neck.bifpn.1.conv6_up.depthwise_conv.weight',
        'neck.bifpn.1.conv7_down.bn.weight',
        'neck.bifpn.1.p6_w1',
        'neck.bifpn.0.p4_w2',
        'bbox_head.cls_conv_list.1.pointwise_conv.bias',
        'bbox_head.reg_bn_list.1.4.running_mean',
        'bbox_head.cls_header.depthwise_conv.weight',
        'bbox_head.reg_header.pointwise_conv.bias',
        'backbone.layers.1.0.depthwise_conv.conv.weight',
    ):
        assert key in state
    ours = build(anchor_generator=ANCHORS)
    report = load_weights(ours, {'state_dict': state, 'meta': {}})
    assert (report.format, report.missing, report.unexpected) == ('mmdet', (), ())
    assert_same(ours.state_dict(), original.state_dict())


def test_the_projects_anchors() -> None:
    """Its configs leave scale_major at mmdet's default: ratio by ratio."""
    state = build(anchor_generator=ANCHORS).state_dict()
    state = {project_name(key): tensor for key, tensor in state.items()}
    # 32 px and its octaves with ratio 1 come first; all are centred at (4, 4).
    base = AnchorGenerator(**{k: v for k, v in ANCHORS.items() if k != 'type'}).base_anchors[0]
    assert (base[:, 2] - base[:, 0])[:3].tolist() == pytest.approx([32, 40.3175, 50.7968], abs=1e-3)
    message = r"mmdet names\) belong to other anchors.*\(-12.0, -12.0, 20.0, 20.0\).*'AnchorGene"
    for generator in (EFFDET_ANCHORS, dict(ANCHORS, scale_major=False)):
        ours = build(anchor_generator=generator)
        with pytest.raises(ValueError, match=message):
            load_weights(ours, state)
        assert load_weights(ours, state, ignore=('bbox_head.reg_predict',)).unexpected
    own = build(anchor_generator=EFFDET_ANCHORS).state_dict()
    assert load_weights(build(anchor_generator=ANCHORS), own).missing == ()


def test_the_project_has_five_levels_only() -> None:
    state = {project_name(k): v for k, v in build().state_dict().items()}
    strides = [8, 16, 32, 64, 128, 256]
    ours = build(dict(num_outs=6), anchor_generator=dict(ANCHORS, strides=strides))
    message = (
        r"'neck\.bifpn\.0\.p7_w2' has shape \(2,\), .*nodes\.8\.fuse\.edge_weights' expects \(3,\)"
    )
    with pytest.raises(ValueError, match=message):
        load_weights(ours, state)


@pytest.mark.parametrize('format', ['effdet', 'mmdet'])
def test_the_table_can_be_inverted(format: str) -> None:
    ours = build()
    table = detector_table(ours, format)
    assert len(set(table.values())) == len(table)
    assert {key for key in ours.state_dict() if not key.startswith('backbone.')} <= table.keys()
    assert detector_table(ours, 'timm') == detector_table(ours.backbone, format) == {}
