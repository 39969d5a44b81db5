"""Models for inference: the same results, without norms; and no graph breaks when compiled."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import pytest
import torch
from mmcv.cnn import ConvModule
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS as SEGMENTORS
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision.ops import StochasticDepth

from effnet_dense.deployment import deploy
from effnet_dense.hub import create_classifier
from effnet_dense.models import BiFPN, EfficientDetHead, EfficientNet
from effnet_dense.models.layers import ConvNormAct
from effnet_dense.scaling import BASES
from tests.helpers import peers
from tests.helpers.tiers import slow_except

CHANNELS = (8, 12, 20)
SMALL = dict(base='b0', width=0.25, depth=0.3)  # with every kind of block
SYNC = dict(type='SyncBN', eps=1e-3)
GROUP = dict(type='GN', num_groups=4)


def features(*channels: int, height: int = 32, width: int = 48) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(2, count, -(-height >> level), -(-width >> level), generator=generator)
        for level, count in enumerate(channels)
    ]


def head(**options: Any) -> nn.Module:
    init_default_scope('mmdet')
    coder = dict(type='DeltaXYWHBBoxCoder')
    return peers.randomise_(EfficientDetHead(3, 8, stacked_convs=2, bbox_coder=coder, **options))


def detector(norm_cfg: dict[str, Any]) -> nn.Module:
    init_default_scope('mmdet')
    common = dict(norm_cfg=norm_cfg)
    backbone = dict(type='effnet_dense.EfficientNet', arch='b0', drop_path_rate=0.2, **common)
    neck = dict(type='effnet_dense.BiFPN', in_channels=[40, 112, 320], out_channels=16, **common)
    bbox_head = dict(
        type='effnet_dense.EfficientDetHead', num_classes=3, in_channels=16, stacked_convs=2
    )
    coder = dict(type='DeltaXYWHBBoxCoder')
    test_cfg = dict(nms_pre=200, nms=dict(type='nms', iou_threshold=0.5), max_per_img=20)
    return peers.randomise_(
        MODELS.build(
            ConfigDict(
                type='RetinaNet',
                backbone=backbone,
                neck=neck,
                bbox_head=dict(bbox_coder=coder, **bbox_head, **common),
                test_cfg=test_cfg,
            )
        )
    )


def norms(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]


def assert_same(deployed: nn.Module, model: nn.Module, *inputs: Any) -> None:
    """Equal outputs to 1e-5 of the largest, and inputs that are left alone."""
    before = copy.deepcopy(inputs)
    with torch.no_grad():
        expected, found = model.eval()(*inputs), deployed(*inputs)
    torch.testing.assert_close(inputs, before, rtol=0, atol=0)
    assert_close(found, expected)


def assert_close(found: Any, expected: Any) -> None:
    if isinstance(expected, Tensor):
        assert found.shape == expected.shape
        assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
    else:
        for a, b in zip(found, expected, strict=True):
            assert_close(a, b)


@pytest.mark.parametrize('base', BASES)
@pytest.mark.parametrize('size', [(64, 96), (65, 79)])
def test_every_family(base: str, size: tuple[int, int]) -> None:
    arch = dict(base=base, width=0.5, depth=0.3)
    model = peers.randomise_(EfficientNet(arch, out_indices=range(7), drop_path_rate=0.2))
    deployed = deploy(model)
    assert type(deployed) is EfficientNet
    assert deployed.out_channels == model.out_channels
    assert not norms(deployed)
    assert not any(isinstance(module, StochasticDepth) for module in deployed.modules())
    assert not any(parameter.requires_grad for parameter in deployed.parameters())
    assert not any(module.training for module in deployed.modules())
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    assert_same(deployed, model, images)


@pytest.mark.parametrize(
    'options',
    [
        dict(padding='symmetric'),
        dict(norm_cfg=SYNC),
        dict(act_cfg=dict(type='SiLU')),
        dict(act_cfg=dict(type='GELU')),
    ],
    ids=str,
)
def test_options_of_the_backbone(options: dict[str, Any]) -> None:
    model = peers.randomise_(EfficientNet('b0', out_indices=(3,), **options))
    deployed = deploy(model)
    assert not norms(deployed)
    assert_same(deployed, model, *features(3, height=64, width=96))


def test_classifier() -> None:
    model = peers.randomise_(create_classifier('b0', num_classes=5))
    assert_same(deploy(model), model, *features(3, height=64, width=64))


def test_group_norms_stay() -> None:
    model = peers.randomise_(EfficientNet('b0', out_indices=(3,), norm_cfg=GROUP))
    deployed = deploy(model)
    count = sum(isinstance(module, nn.GroupNorm) for module in model.modules())
    assert sum(isinstance(module, nn.GroupNorm) for module in deployed.modules()) == count > 10
    assert_same(deployed, model, *features(3, height=64, width=96))
    assert_same(deploy(head(norm_cfg=GROUP)), head(norm_cfg=GROUP), features(*(8,) * 5))


def test_batch_norms_without_statistics_stay() -> None:
    cfg = dict(type='BN', track_running_stats=False)
    model = EfficientNet('b0', out_indices=(1,), norm_cfg=cfg)
    deployed = deploy(model)
    assert len(norms(deployed)) == len(norms(model))
    assert_same(deployed, model, *features(3))


@pytest.mark.parametrize(
    'options',
    [
        dict(fusion='fast', conv_bias=True),
        dict(fusion='softmax', padding='symmetric'),
        dict(fusion='sum', norm_cfg=SYNC, act_cfg=dict(type='SiLU')),
    ],
    ids=lambda options: options['fusion'],
)
def test_bifpn(options: dict[str, Any]) -> None:
    model = peers.randomise_(BiFPN(CHANNELS, 16, num_cells=2, **options))
    deployed = deploy(model)
    assert not norms(deployed)
    assert not [name for name, _ in deployed.named_parameters() if 'edge_weights' in name]
    assert_same(deployed, model, features(*CHANNELS))
    # Sides that do not halve evenly.
    assert_same(deployed, model, features(*CHANNELS, height=21, width=35))


@pytest.mark.parametrize('conv_bias', [False, True])
def test_head_has_convolutions_of_each_level(conv_bias: bool) -> None:
    model = head(conv_bias=conv_bias)
    deployed = deploy(model)
    assert not norms(deployed)
    pointwise = deployed.cls_norms[1]
    assert [type(conv) for conv in pointwise] == [nn.Conv2d] * 5
    assert not torch.equal(pointwise[0].weight, pointwise[1].weight)
    assert_same(deployed, model, features(*(8,) * 5))


def test_the_given_model_is_left_as_it_was() -> None:
    model = detector(SYNC).train()
    before = copy.deepcopy(model.state_dict())
    deploy(model)
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], before[key]) for key in before)
    assert all(module.training for module in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_deploying_twice_changes_nothing() -> None:
    once = deploy(detector(SYNC))
    twice = deploy(once)
    assert str(twice) == str(once)
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for a, b in zip(twice(images)[0], once(images)[0], strict=True):
            assert torch.equal(a, b)


def test_deployed_in_inference_mode() -> None:
    with torch.inference_mode():
        model = peers.randomise_(EfficientNet('b0'))  # its tensors are the mode's
        deployed = deploy(model)
        assert_same(deployed, model, *features(3))
    assert_same(deployed, model, *features(3))


def test_a_subclass_may_run_its_parts_otherwise() -> None:
    class ActFirst(ConvNormAct):
        def forward(self, x: Tensor) -> Tensor:
            return self.conv(self.act(x))

    model = peers.randomise_(ActFirst(6, 6, act_cfg=dict(type='SiLU')))
    x = torch.randn(1, 6, 5, 5)
    with torch.no_grad():
        torch.testing.assert_close(deploy(model)(x), model(x))


def test_a_subclass_with_another_loss_is_folded() -> None:
    class OwnLoss(EfficientDetHead):
        def loss_by_feat(self, *_: Any) -> dict[str, Tensor]:
            return {}

    init_default_scope('mmdet')
    deployed = deploy(OwnLoss(3, 8, bbox_coder=dict(type='DeltaXYWHBBoxCoder')))
    assert not norms(deployed)


def test_detections() -> None:
    model = detector(dict(type='BN', eps=1e-3)).eval()
    deployed = deploy(model)
    assert type(deployed) is type(model)
    assert not norms(deployed)
    images = torch.randn(2, 3, 96, 128, generator=torch.Generator().manual_seed(1))
    meta = dict(img_shape=(96, 128), scale_factor=(1.0, 1.0))
    samples = [DetDataSample(metainfo=meta) for _ in images]
    with torch.no_grad():
        expected = model.predict(images, copy.deepcopy(samples))
        found = deployed.predict(images, copy.deepcopy(samples))
    for a, b in zip(found, expected, strict=True):
        assert len(a.pred_instances) == 20
        assert torch.equal(a.pred_instances.labels, b.pred_instances.labels)
        torch.testing.assert_close(a.pred_instances.scores, b.pred_instances.scores)
        torch.testing.assert_close(
            a.pred_instances.bboxes, b.pred_instances.bboxes, rtol=1e-4, atol=1e-2
        )


def test_segmentor_of_mmseg() -> None:
    init_default_scope('mmseg')
    model = SEGMENTORS.build(
        ConfigDict(
            type='EncoderDecoder',
            backbone=dict(
                type='effnet_dense.EfficientNet', arch='lite0', out_indices=(2, 3), norm_cfg=SYNC
            ),
            decode_head=dict(
                type='DepthwiseSeparableFCNHead',
                in_channels=40,
                in_index=1,
                channels=8,
                num_classes=2,
                norm_cfg=SYNC,
                align_corners=False,
            ),
            test_cfg=dict(mode='whole'),
        )
    )
    peers.randomise_(model).eval()
    deployed = deploy(model)
    assert not norms(deployed)
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected, found = model.predict(images)[0], deployed.predict(images)[0]
    assert_close(found.seg_logits.data, expected.seg_logits.data)


@pytest.mark.parametrize(
    ('options', 'left'),
    [
        (dict(), 0),
        (dict(bias=True, conv_cfg=dict(type='Conv2dAdaptivePadding')), 0),
        (dict(order=('act', 'conv', 'norm')), 0),
        (dict(order=('norm', 'conv', 'act')), 1),
        (dict(order=('conv', 'act', 'norm')), 1),
        (dict(conv_cfg=dict(type='ConvWS')), 1),
        (dict(with_spectral_norm=True), 1),
        (dict(norm_cfg=None), 0),
    ],
    ids=str,
)
def test_mmcv_modules(options: dict[str, Any], left: int) -> None:
    options = {'norm_cfg': dict(type='BN'), 'inplace': False, **options}
    model = ConvModule(6, 6, 3, padding=1, **options)
    if not options.get('with_spectral_norm'):
        peers.randomise_(model)
    deployed = deploy(model.eval())
    assert len(norms(deployed)) == left
    assert_same(deployed, model, *features(6))


def test_a_convolution_shared_by_norms() -> None:
    """As mmdet's RTMDetSepBNHead shares it."""
    pair = nn.Sequential(*(ConvModule(6, 6, 1, norm_cfg=dict(type='BN')) for _ in range(2)))
    pair[1].conv = pair[0].conv
    peers.randomise_(pair)
    deployed = deploy(pair)
    assert not norms(deployed)
    assert_same(deployed, pair, *features(6))


def test_norms_elsewhere_stay() -> None:
    """The order of registration tells nothing about that of execution."""

    class NormFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(6, 6, 1), nn.BatchNorm2d(6)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(self.norm(x))

    model = peers.randomise_(NormFirst())
    assert_same(deploy(model), model, *features(6))


def test_only_modules_can_be_deployed() -> None:
    with pytest.raises(ValueError, match=r'expects a torch\.nn\.Module, got dict'):
        deploy(dict(type='effnet_dense.EfficientNet'))


def test_no_compiler() -> None:
    from torch._inductor import config

    with (
        config.patch({'cpp.cxx': ('absent-compiler',)}),
        pytest.raises(FileNotFoundError, match='needs a C\\+\\+ compiler'),
    ):
        deploy(nn.Conv2d(3, 3, 1), compile=True)


@pytest.mark.slow
@pytest.mark.compiler
def test_compiled() -> None:
    model = peers.randomise_(EfficientNet('b0', out_indices=(1, 2)))
    assert_same(deploy(model, compile=True), model, *features(3, height=64, width=64))


@pytest.mark.compiler
def test_the_first_size_of_each_compiled_model_has_a_graph_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever sizes other models have seen; another size gets one for all sizes."""
    dynamic = []

    def record(graph: torch.fx.GraphModule, inputs: list[Any]) -> Any:
        dynamic.append(any(isinstance(x, torch.SymInt) for x in inputs))
        return graph.forward

    torch._dynamo.reset()
    monkeypatch.setattr(torch, 'compile', partial(torch.compile, backend=record))
    arch = dict(base='b0', width=0.25, depth=0.3)
    models = [deploy(EfficientNet(arch, out_indices=(1,)), compile=True) for _ in range(2)]
    for model, sizes in zip(models, [(64, 64, 96), (160, 160)], strict=True):
        for size in sizes:
            (out,) = model(torch.zeros(1, 3, size, size))
            assert out.shape[2:] == (size // 2, size // 2)
    assert dynamic == [False, True, False]


# The backbone's first three layers hold every kind of block.
PARTS = {
    'backbone': lambda: (
        EfficientNet(SMALL, out_indices=(2,), drop_path_rate=0.2),
        torch.randn(2, 3, 64, 64),
    ),
    'neck': lambda: (BiFPN(CHANNELS, 16, num_outs=4, num_cells=1), features(*CHANNELS)),
    'head': lambda: (head(), features(*(8,) * 5)),
}


@pytest.mark.slow
@pytest.mark.parametrize('form', ['train', 'eval', 'deployed'])
@pytest.mark.parametrize('part', slow_except(PARTS, 'neck', 'head'))
def test_no_graph_breaks(part: str, form: str) -> None:
    model, inputs = PARTS[part]()
    torch._dynamo.reset()
    model.train(form == 'train')
    if form == 'deployed':
        model = deploy(model)
    with torch.set_grad_enabled(form != 'deployed'):
        explained = torch._dynamo.explain(model)(inputs)
    assert explained.graph_break_count == 0, explained.break_reasons
    assert explained.graph_count == 1
