import pytest
import torch
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import DefaultScope
from torch import nn

from effnet_dense.models import EfficientNet
from effnet_dense.registry import MODELS

NORM = dict(type='BN', eps=1e-3, momentum=0.01)


@pytest.mark.parametrize('padding', ['same', 'symmetric'])
@pytest.mark.parametrize('size', [(64, 64), (33, 65), (97, 40)])
def test_feature_shapes_at_any_size(padding, size):
    model = EfficientNet('b0', out_indices=range(7), padding=padding)
    features = model(torch.randn(1, 3, *size))
    assert model.out_strides == (2, 2, 4, 8, 16, 32, 32)
    assert model.out_channels == (32, 16, 24, 40, 112, 320, 1280)
    for feature, channels, stride in zip(
        features, model.out_channels, model.out_strides, strict=True
    ):
        assert feature.shape == (1, channels, -(-size[0] // stride), -(-size[1] // stride))


def test_layers_that_nobody_asked_for_are_not_built():
    # C3–C5 of B0 without the classifier's 1×1 head: google/automl's figure for D0's backbone.
    assert sum(p.numel() for p in EfficientNet('b0').parameters()) == 3_595_388
    assert len(EfficientNet('b0', out_indices=(2,)).layers) == 3
    whole, part = EfficientNet('b0', out_indices=(6,)), EfficientNet('b0', out_indices=(3,))
    assert set(part.state_dict()) == {
        name for name in whole.state_dict() if int(name.split('.')[1]) <= 3
    }


def test_frozen_layers_keep_weights_and_statistics():
    model = EfficientNet('b0', frozen_stages=3)
    assert model.train() is model
    assert model.eval() is model
    model.train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    features = model(torch.randn(2, 3, 64, 64))
    torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0).zero_grad()
    sum(f.mean() for f in features).backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == (int(name.split('.')[1]) < 3), name
    for name, tensor in model.state_dict().items():
        changed = not torch.equal(tensor, before[name])
        assert changed == ('num_batches' in name or 'running' in name) * (
            int(name.split('.')[1]) >= 3
        ), name


@pytest.mark.parametrize('frozen_stages', range(8))
def test_any_number_of_frozen_stages_trains_on(frozen_stages):
    model = EfficientNet('b0', out_indices=(4, 6), frozen_stages=frozen_stages)
    model.train()
    assert [layer.training for layer in model.layers] == [
        index >= frozen_stages for index in range(7)
    ]


@pytest.mark.parametrize('norm', ['BN', 'SyncBN'])
def test_norm_eval_holds_for_every_batch_norm(norm):
    model = EfficientNet('b0', norm_eval=True, norm_cfg=dict(NORM, type=norm)).train()
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert norms
    assert not any(m.training for m in norms)
    assert model.layers[1].training


def test_norm_defaults_are_tensorflows():
    norm = EfficientNet('b0').layers[0].bn
    assert (norm.eps, norm.momentum) == (1e-3, 0.01)


def test_drop_path_grows_with_the_block():
    model = EfficientNet('b0', drop_path_rate=0.16)  # 16 blocks: block i has 0.01 · i
    rates = [getattr(b.drop_path, 'p', 0.0) for layer in model.layers[1:6] for b in layer]
    torch.testing.assert_close(torch.tensor(rates), torch.arange(16) * 0.01)


def test_drop_path_drops_whole_samples_in_training_only():
    model = EfficientNet('b0', drop_path_rate=0.9)
    block = model.layers[5][-2]  # a shortcut at rate 0.9 · 14 ÷ 16
    assert block.has_shortcut
    x = torch.randn(64, 192, 2, 2)
    block.train()
    kept = (block(x) != x).flatten(1).any(1)
    assert 0 < kept.sum() < 40
    block.eval()
    assert (block(x) != x).flatten(1).any(1).all()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(arch='b11'), "arch must be one of .* got 'b11'"),
        (dict(arch=dict(phi=99)), 'phi must be a number from -20 to 20, got 99'),
        (dict(out_indices=(3, 7)), r'ascending layers from 0 .* to 6 .* got \(3, 7\)'),
        (dict(out_indices=(4, 3)), r'ascending layers .* got \(4, 3\)'),
        (dict(out_indices=()), r'ascending layers .* got \(\)'),
        (dict(out_indices=3), 'ascending layers .* got 3'),
        (dict(padding='valid'), "padding must be one of .* got 'valid'"),
        (dict(drop_path_rate=1.0), 'at least 0 and below 1, got 1.0'),
        (dict(drop_path_rate='a'), "at least 0 and below 1, got 'a'"),
        (dict(norm_cfg='BN'), "norm_cfg must be a dict with a type, got 'BN'"),
        (dict(act_cfg=dict(inplace=True)), 'act_cfg must be a dict with a type'),
        (dict(init_cfg='x.pth'), "init_cfg must be a dict with a type, .* got 'x.pth'"),
        (dict(init_cfg=[dict(checkpoint='x')]), 'init_cfg must be a dict with a type'),
        (dict(frozen_stages=8), 'from 0 to 7, got 8'),
        (dict(frozen_stages=-1), 'from 0 to 7, got -1'),
        (dict(conv_cfg=dict(type='DCNv2')), "write padding='same'"),
        (
            dict(conv_cfg=dict(type='Conv2dAdaptivePadding'), padding='symmetric'),
            "write padding='same'",
        ),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        EfficientNet(**options)


@pytest.mark.parametrize('shape', [(1, 4, 32, 32), (3, 32, 32)])
def test_wrong_images_are_refused(shape):
    with pytest.raises(ValueError, match=r'shape \(N, 3, H, W\), got'):
        EfficientNet('b0')(torch.zeros(shape))


@pytest.mark.parametrize('scope', ['mmengine', 'mmdet', 'mmseg'])
def test_it_builds_from_every_registry(scope):
    assert 'EfficientNet' in MODELS.module_dict
    with DefaultScope.overwrite_default_scope(scope):
        model = ROOT_MODELS.build(dict(type='effnet_dense.EfficientNet', arch='lite0'))
    assert isinstance(model, EfficientNet)


def test_mmdets_and_mmsegs_own_registries_build_it():
    from mmdet.registry import MODELS as DETECTORS
    from mmseg.registry import MODELS as SEGMENTORS

    for registry in (DETECTORS, SEGMENTORS):
        model = registry.build(dict(type='effnet_dense.EfficientNet', arch='lite0'))
        assert isinstance(model, EfficientNet)


def test_mmdets_configuration_works_with_only_the_type_changed():
    # The backbone of mmdet's efficientnet/retinanet_effb3_fpn_8xb4-crop896-1x_coco.py.
    model = MODELS.build(
        dict(
            type='effnet_dense.EfficientNet',
            arch='b3',
            drop_path_rate=0.2,
            out_indices=(3, 4, 5),
            frozen_stages=0,
            conv_cfg=dict(type='Conv2dAdaptivePadding'),
            norm_cfg=dict(type='SyncBN', requires_grad=True, eps=1e-3, momentum=0.01),
            act_cfg=dict(type='Swish'),
            norm_eval=False,
            with_cp=False,
        )
    )
    assert model.out_channels == (48, 136, 384)
    assert isinstance(model.layers[0].bn, nn.SyncBatchNorm)


@pytest.mark.parametrize('arch', ['b0', 'lite0', 'es', 'v2_b0'])
def test_initial_features_neither_vanish_nor_explode(arch):
    torch.manual_seed(0)
    model = EfficientNet(arch).train()
    for feature in model(torch.randn(4, 3, 96, 96)):
        assert 0.1 < feature.std() < 10


def test_double_backward_use_of_one_module():
    model = EfficientNet('lite0').eval()
    x = torch.randn(1, 3, 32, 32, requires_grad=True)
    (model(x)[-1] + model(x.flip(-1))[-1]).sum().backward()
    assert torch.isfinite(x.grad).all()
