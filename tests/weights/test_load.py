"""What `load_weights` accepts, refuses and reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from effnet_dense.hub import create_classifier
from effnet_dense.models import EfficientNet
from effnet_dense.weights import export_weights, load_weights, state_dict_of
from effnet_dense.weights import load as load_module
from effnet_dense.weights.image_statistics import IMAGENET
from effnet_dense.weights.sources import SourceInfo

FORMATS = ('timm', 'torchvision', 'efficientnet_pytorch', 'mmdet', 'effdet')
State = dict[str, Tensor]


def copy_of(state: State) -> State:
    return {key: tensor.clone() for key, tensor in state.items()}


@pytest.fixture(scope='module')
def states() -> dict[str, State]:
    """One B0 classifier's state dict under every ecosystem's names."""
    torch.manual_seed(0)
    model = create_classifier('b0')
    return {format: copy_of(export_weights(model, format)) for format in FORMATS}


class Detector(BaseModule):
    """A backbone, and one convolution each as neck and head."""

    def __init__(self, arch: str = 'b0', classes: int = 3) -> None:
        super().__init__()
        self.backbone = EfficientNet(arch)
        self.neck = nn.Conv2d(320, 4, 1)
        self.bbox_head = nn.Conv2d(4, classes, 1)


def assert_backbone(backbone: EfficientNet, states: dict[str, State]) -> None:
    expected = states['mmdet']
    for key, tensor in backbone.state_dict().items():
        assert torch.equal(tensor, expected[f'backbone.{key}']), key


@pytest.mark.parametrize('format', FORMATS)
def test_formats_are_recognised(format: str, states: dict[str, State]) -> None:
    backbone = EfficientNet('b0')
    report = load_weights(backbone, states[format])
    assert report.format == format
    assert report.loaded == tuple(backbone.state_dict())
    assert report.missing == ()
    # The 1×1 head (6 tensors) is not built, and there is no classifier (2).
    assert len(report.unexpected) == (0 if format == 'effdet' else 8)
    assert set(report.unexpected) <= set(states[format])
    assert_backbone(backbone, states)


@pytest.mark.parametrize('format', FORMATS)
@pytest.mark.parametrize('prefix', ['module.', 'model.', '_orig_mod.', 'encoder.', 'student.net.'])
def test_prefixes_are_recognised(format: str, prefix: str, states: dict[str, State]) -> None:
    backbone = EfficientNet('b0')
    wrapped = {prefix + key: tensor for key, tensor in states[format].items()}
    assert load_weights(backbone, wrapped).format == format
    assert_backbone(backbone, states)


@pytest.mark.parametrize(
    'wrap',
    [
        lambda state: {'state_dict': state, 'meta': {'epoch': 1}, 'optimizer': {'state': {}}},
        lambda state: {'model': state, 'args': None},
        lambda state: {'state_dict': {}, 'state_dict_ema': state},
        lambda state: {'model': {'state_dict': state}},
    ],
)
def test_wrapping_dicts(wrap: Any, states: dict[str, State]) -> None:
    backbone = EfficientNet('b0')
    load_weights(backbone, wrap(states['timm']))
    assert_backbone(backbone, states)


def test_averaged_weights_are_preferred(states: dict[str, State]) -> None:
    other = {key: torch.zeros_like(tensor) for key, tensor in states['timm'].items()}
    backbone = EfficientNet('b0')
    load_weights(backbone, {'state_dict': other, 'state_dict_ema': states['timm']})
    assert_backbone(backbone, states)


def test_state_dict_of_a_backbone(states: dict[str, State]) -> None:
    bare = {
        key.removeprefix('backbone.'): v for key, v in states['mmdet'].items() if 'fc' not in key
    }
    for model in (EfficientNet('b0'), Detector()):
        assert load_weights(model, bare).format == 'mmdet'
        assert_backbone(getattr(model, 'backbone', model), states)


def test_mmengine_checkpoint_files(tmp_path: Path, states: dict[str, State]) -> None:
    path = tmp_path / 'epoch_1.pth'
    torch.save({'meta': {}, 'state_dict': states['mmdet']}, path)
    for source in (path, str(path)):
        backbone = EfficientNet('b0')
        load_weights(backbone, source)
        assert_backbone(backbone, states)


def test_a_detectors_checkpoint_loads_completely() -> None:
    original, model = Detector(), Detector()
    report = load_weights(model, {'state_dict': original.state_dict()})
    assert (report.missing, report.unexpected) == ((), ())
    for key, tensor in original.state_dict().items():
        assert torch.equal(model.state_dict()[key], tensor), key


def test_a_detectors_checkpoint_provides_its_backbone() -> None:
    original = Detector().state_dict()
    backbone = EfficientNet('b0')
    report = load_weights(backbone, original)
    assert report.missing == ()
    assert set(report.unexpected) == {key for key in original if not key.startswith('backbone.')}
    assert torch.equal(backbone.layers[0].conv.weight, original['backbone.layers.0.conv.weight'])
    again = EfficientNet('b0')
    assert load_weights(again, original, prefix='backbone').unexpected == ()


@pytest.mark.parametrize('format', FORMATS)
def test_a_classifiers_weights_provide_a_detectors_backbone(
    format: str, states: dict[str, State]
) -> None:
    model = Detector()
    neck = model.neck.weight.clone()
    report = load_weights(model, states[format])
    assert_backbone(model.backbone, states)
    assert set(report.missing) == {
        f'{p}.{s}' for p in ('neck', 'bbox_head') for s in ('weight', 'bias')
    }
    assert torch.equal(model.neck.weight, neck)


def test_a_model_without_our_backbone_loads_its_own_names() -> None:
    source, model = nn.Linear(2, 3), nn.Linear(2, 3)
    wrapped = {f'module.{key}': tensor for key, tensor in source.state_dict().items()}
    report = load_weights(model, {'state_dict': {**wrapped, 'module.extra': torch.ones(1)}})
    assert report.format == 'native'
    assert report.unexpected == ('module.extra',)
    assert torch.equal(model.weight, source.weight)
    with pytest.raises(ValueError, match=r"nothing to load: none of 'x' is a key"):
        load_weights(model, {'x': torch.ones(1)})


def test_counters_may_be_absent(states: dict[str, State]) -> None:
    old = {key: v for key, v in states['timm'].items() if 'num_batches_tracked' not in key}
    backbone = EfficientNet('b0')
    report = load_weights(backbone, old)
    assert report.missing == ()
    assert len(report.loaded) < len(backbone.state_dict())
    # A state dict with torch's version metadata makes a module report its counter as missing.
    own = Detector().state_dict()
    for key in [key for key in own if key.endswith('num_batches_tracked')]:
        del own[key]
    assert load_weights(Detector(), own).missing == ()


@pytest.mark.parametrize('format', ['timm', 'torchvision', 'efficientnet_pytorch', 'mmdet'])
def test_weights_of_another_architecture(format: str, states: dict[str, State]) -> None:
    b1 = export_weights(create_classifier('b1'), format)
    assert set(states[format]) <= set(b1) or format == 'efficientnet_pytorch'
    b2 = export_weights(create_classifier('b2'), format)
    for arch, wrong in (('b0', b1), ('b1', states[format]), ('b1', b2)):
        model = EfficientNet(arch)
        with pytest.raises(ValueError, match='another architecture') as error:
            load_weights(model, wrong)
        names = {*wrong, *model.state_dict()}
        assert any(f"'{key}'" in str(error.value) for key in names)


def test_blocks_after_the_built_layers_are_not_checked() -> None:
    """B0 and a B0 with one more block in the last row differ in layer 5 only."""
    deeper = export_weights(EfficientNet('b0'), 'timm')
    deeper |= {'blocks.6.1.conv_pw.weight': torch.ones(1)}
    with pytest.raises(ValueError, match=r"'blocks\.6\.1\.conv_pw\.weight' belongs to layer 5"):
        load_weights(EfficientNet('b0', out_indices=(5,)), deeper)
    report = load_weights(EfficientNet('b0', out_indices=(4,)), deeper)
    assert 'blocks.6.1.conv_pw.weight' in report.unexpected


def test_errors_leave_the_model_unchanged(states: dict[str, State]) -> None:
    broken = copy_of(states['timm'])
    broken['blocks.6.0.bn3.bias'] = torch.ones(7)
    backbone = EfficientNet('b0')
    before = copy_of(backbone.state_dict())
    message = r"'blocks\.6\.0\.bn3\.bias' has shape \(7,\), 'layers\.5\.4.*expects \(320,\)"
    with pytest.raises(ValueError, match=message):
        load_weights(backbone, broken)
    assert all(torch.equal(before[key], v) for key, v in backbone.state_dict().items())


def test_a_missing_key_is_named(states: dict[str, State]) -> None:
    part = copy_of(states['torchvision'])
    del part['features.4.1.block.0.1.running_var']
    with pytest.raises(ValueError, match=r"lacks 'layers\.4\.1\.expand_conv\.bn\.running_var'"):
        load_weights(EfficientNet('b0'), part)
    load_weights(EfficientNet('b0', out_indices=(3,)), part)


@pytest.mark.parametrize(
    'source',
    [{'weight': torch.ones(1)}, {'encoder.layers.0.attention.weight': torch.ones(1)}],
)
def test_nothing_to_load(source: State) -> None:
    with pytest.raises(ValueError, match=rf'nothing to load.*conv_stem.*{next(iter(source))}'):
        load_weights(EfficientNet('b0'), source)


def test_files_without_a_state_dict() -> None:
    with pytest.raises(ValueError, match=r"the checkpoint has no tensors, but 'epoch'"):
        state_dict_of({'epoch': 3})
    with pytest.raises(ValueError, match='holds a list'):
        state_dict_of({'a': 1} and [torch.ones(1)])


def test_a_missing_prefix(states: dict[str, State]) -> None:
    with pytest.raises(ValueError, match=r"no key that begins with 'backbone\.': 'conv_stem"):
        load_weights(EfficientNet('b0'), states['timm'], prefix='backbone')


def test_two_backbones_need_a_prefix(states: dict[str, State]) -> None:
    both = {f'{p}.{key}': v for p in ('teacher', 'student') for key, v in states['mmdet'].items()}
    with pytest.raises(ValueError, match=r'prefix=, of student\.backbone\., teacher\.backbone\.'):
        load_weights(EfficientNet('b0'), both)
    assert load_weights(EfficientNet('b0'), both, prefix='teacher').missing == ()


def test_a_neck_that_looks_like_a_stem(states: dict[str, State]) -> None:
    neck = {'module.neck.layers.0.conv.weight': torch.ones(1)}
    wrapped = {f'module.{key}': v for key, v in states['mmdet'].items()} | neck
    backbone = EfficientNet('b0')
    load_weights(backbone, wrapped)
    assert_backbone(backbone, states)


def test_networks_missing_in_the_ecosystem(states: dict[str, State]) -> None:
    with pytest.raises(ValueError, match="torchvision has no network like 'lite0'"):
        load_weights(EfficientNet('lite0'), states['torchvision'])


def test_other_numbers_of_classes(states: dict[str, State]) -> None:
    model = create_classifier('b0', num_classes=10)
    head = model.head.fc.weight.clone()
    with pytest.raises(ValueError, match=r"'classifier\.weight' has 1000 classes, the model 10"):
        load_weights(model, states['timm'])
    report = load_weights(model, states['timm'], ignore=('head.',))
    assert set(report.missing) == {'head.fc.weight', 'head.fc.bias'}
    assert torch.equal(model.head.fc.weight, head)
    assert_backbone(model.backbone, states)
    load_weights(model.backbone, states['timm'])  # the alternative


def test_tensorflows_background_class_is_dropped() -> None:
    model = create_classifier('es')
    original = copy_of(export_weights(create_classifier('es'), 'timm'))
    weight, bias = original['classifier.weight'], original['classifier.bias']
    original['classifier.weight'] = torch.cat([torch.full((1, 1280), 9.0), weight])
    original['classifier.bias'] = torch.cat([torch.full((1,), 9.0), bias])
    load_weights(model, original)
    assert torch.equal(model.head.fc.weight, weight)
    assert torch.equal(model.head.fc.bias, bias)


def test_a_detector_of_other_classes() -> None:
    original, model = Detector(classes=80).state_dict(), Detector(classes=3)
    with pytest.raises(ValueError, match=r'bbox_head\.weight.*\(80, 4, 1, 1\).*\(3, 4, 1, 1\)'):
        load_weights(model, original)
    report = load_weights(model, original, ignore=('bbox_head.',))
    assert report.missing == ('bbox_head.weight', 'bbox_head.bias')
    assert torch.equal(model.neck.weight, original['neck.weight'])


def test_other_norms(states: dict[str, State]) -> None:
    norm_cfg = dict(type='GN', num_groups=2)
    original, model = (EfficientNet('b0', norm_cfg=norm_cfg) for _ in range(2))
    assert load_weights(model, original.state_dict()).missing == ()
    with pytest.raises(ValueError, match=r"lacks 'layers\.0\.gn\.weight'"):
        load_weights(model, states['timm'])


@pytest.mark.parametrize(
    ('info', 'message'),
    [
        (SourceInfo(*IMAGENET, 'symmetric', 1e-3), "need padding='symmetric'.*got 'same'"),
        (SourceInfo(*IMAGENET, 'same', 1e-5), 'need eps=1e-05.*got 0.001'),
    ],
)
def test_the_wrong_numeric_family(
    info: SourceInfo, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_module, 'source_info', lambda source: info)
    for model in (EfficientNet('b0'), Detector()):
        with pytest.raises(ValueError, match=f'weights of timm://x {message}'):
            load_weights(model, 'timm://x')


def test_data_parallel_and_dtype(states: dict[str, State]) -> None:
    class Wrapper(nn.parallel.DataParallel):
        pass

    backbone = EfficientNet('b0').half()
    report = load_weights(Wrapper(backbone), states['timm'])
    assert not report.missing
    assert backbone.layers[0].conv.weight.dtype == torch.float16


def test_report_text(states: dict[str, State]) -> None:
    text = str(load_weights(Detector(), states['timm']))
    assert text.startswith('352 tensors loaded from timm names, 4 missing (')
    assert '8 unexpected (' in text
    assert 'and 5 more' in text
