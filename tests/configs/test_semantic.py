"""The semantic configs on files in their datasets' own formats: training, metrics, windows, TTA."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import mmcv
import mmseg
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS, init_default_scope
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.models import EncoderDecoder
from PIL import Image
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from effnet_dense.engine.config import load_config
from effnet_dense.engine.jobs import test as evaluate
from effnet_dense.engine.jobs import train
from effnet_dense.weights import load_weights
from tests.helpers.build import FOLDER, build
from tests.helpers.semantic_data import (
    HEIGHT,
    IGNORED,
    WIDTH,
    WRITERS,
    blocks,
    quarters,
    voc_colour,
    write_voc,
)
from tests.helpers.tiers import slow_except

SIZE = 64
ARCH = dict(_delete_=True, base='b0', width=0.25, depth=0.3)  # instead of a name
C2_TO_C5 = [8, 16, 32, 80]
FPN = {
    'model.neck.in_channels': C2_TO_C5,
    'model.neck.out_channels': 16,
    'model.decode_head.in_channels': [16] * 4,
    'model.decode_head.channels': 16,
}
BIFPN = {
    'model.neck.in_channels': C2_TO_C5,
    'model.neck.out_channels': 16,
    'model.neck.num_cells': 1,
    'model.decode_head.in_channels': 16,
    'model.decode_head.channels': 16,
}
AUXILIARY = {'model.auxiliary_head.in_channels': C2_TO_C5[2], 'model.auxiliary_head.channels': 16}
DEEPLAB = {
    'model.decode_head.in_channels': C2_TO_C5[3],
    'model.decode_head.c1_in_channels': C2_TO_C5[0],
    'model.decode_head.channels': 16,
    **AUXILIARY,
}
UPERNET = {'model.decode_head.in_channels': C2_TO_C5, 'model.decode_head.channels': 16, **AUXILIARY}
# Changes of each config's model that fit `ARCH` and make the rest as small.
SMALL = {
    'effnet_b0_fpn_ade20k': FPN,
    'effnet_b3_fpn_ade20k': FPN,
    'effnet_b3_deeplabv3plus_ade20k': DEEPLAB,
    'effnet_b5_upernet_ade20k': UPERNET,
    'effnet_b3_bifpn_ade20k': BIFPN,
    'effnet_b3_bifpn_cityscapes': BIFPN,
    'effnet_lite0_eseg_cityscapes': BIFPN,
    'efficientdet_d4_seg_voc2012': BIFPN,
}
# One config per dataset, for tests of the data.
ADE20K, CITYSCAPES, VOC = (
    'effnet_b3_bifpn_ade20k',
    'effnet_b3_bifpn_cityscapes',
    'efficientdet_d4_seg_voc2012',
)
CLASSES = {ADE20K: 150, CITYSCAPES: 19, VOC: 21}

every_config = pytest.mark.parametrize('name', SMALL)
every_dataset = pytest.mark.parametrize('name', CLASSES)


@functools.cache
def shipped(name: str) -> Config:
    """An unchanged config, not to be modified."""
    return load_config(name)


def options(name: str, root: Path) -> dict[str, Any]:
    """`--cfg-options` for a small model, trained for two steps of two crops on data in `root`."""
    config = shipped(name)
    values: dict[str, Any] = {
        'model.backbone.arch': ARCH,
        'model.backbone.init_cfg': None,
        'model.data_preprocessor.size': (SIZE, SIZE),
        'train_dataloader.batch_size': 2,
        'train_cfg.max_iters': 2,
        'train_cfg.val_interval': 2,
        'default_hooks.checkpoint.interval': 2,
        'default_hooks.logger.interval': 1,
        **SMALL[name],
    }
    training = ['train_dataloader.dataset']
    if 'datasets' in config.train_dataloader.dataset:
        training = [f'{training[0]}.datasets.{number}' for number in range(2)]
    for dataset in (*training, 'val_dataloader.dataset', 'test_dataloader.dataset'):
        values[f'{dataset}.data_root'] = str(root)
        values[f'{dataset}.pipeline.{2 if dataset in training else 1}.scale'] = (WIDTH, HEIGHT)
        if dataset in training:
            values[f'{dataset}.pipeline.3.crop_size'] = (SIZE, SIZE)
    for loop in ('train', 'val', 'test'):
        values[f'{loop}_dataloader.num_workers'] = 0
        values[f'{loop}_dataloader.persistent_workers'] = False
    ratios = (1.0, 1.5, 1.0, 1.0, 1.0, 0.5)
    for index, ratio in enumerate(ratios):
        key = f'tta_pipeline.1.transforms.0.{index}.scale'
        values[key] = (round(WIDTH * ratio), round(HEIGHT * ratio))
    return values


def small(name: str, root: Path, work_dir: Path, **changes: Any) -> Config:
    return load_config(name, options={**options(name, root), **changes}, work_dir=work_dir)


def dataset_type(name: str) -> str:
    return shipped(name).val_dataloader.dataset.type


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The three datasets, with random squares of all their classes."""
    roots = {}
    for name, classes in CLASSES.items():
        kind = dataset_type(name)
        roots[kind] = tmp_path_factory.mktemp(kind)
        maps = [blocks(classes, seed) for seed in range(5)]
        WRITERS[kind](roots[kind], maps[:3], maps[3:])
    return roots


Trained = Callable[[str], Path]


@pytest.fixture(scope='module')
def trained(data: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The checkpoint of a config after two steps and a validation, cached by config."""

    @functools.cache
    def checkpoint(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        train(small(name, data[dataset_type(name)], folder))
        return folder / 'iter_2.pth'

    return checkpoint


def scalars(work_dir: Path) -> list[dict[str, Any]]:
    """The scalars that mmengine logged in the latest run."""
    path = max(work_dir.glob('*/vis_data/scalars.json'))
    return [json.loads(line) for line in path.read_text(encoding='utf-8').splitlines()]


def mean_iou(predicted: list[np.ndarray], truth: list[np.ndarray], classes: int) -> float:
    """mIoU in per cent: intersection over union of pixels, averaged over the classes that occur."""
    ious = []
    for label in range(classes):
        both = either = 0
        for found, expected in zip(predicted, truth, strict=True):
            valid = expected != IGNORED
            both += ((found == label) & (expected == label) & valid).sum()
            either += (((found == label) | (expected == label)) & valid).sum()
        if either:
            ious.append(both / either)
    return 100 * sum(ious) / len(ious)


def label_maps(folder: Path, kind: str) -> list[np.ndarray]:
    """Read `--out`'s label maps as class indices; ADE20K's use ADE20K's own encoding."""
    maps = [np.array(Image.open(path)).astype(int) for path in sorted(folder.glob('*.png'))]
    return [found - (kind == 'ADE20KDataset') for found in maps]


@pytest.mark.parametrize('name', slow_except(SMALL, VOC))
def test_trains_and_validates(name: str, trained: Trained) -> None:
    *steps, result = scalars(trained(name).parent)
    assert [step['iter'] for step in steps] == [1, 2]
    losses = [key for key in steps[0] if key.endswith('loss_ce')]
    auxiliary = ['aux.loss_ce'] if 'auxiliary_head' in shipped(name).model else []
    assert losses == ['decode.loss_ce', *auxiliary]
    # About log C for an untrained head; the SGD configs' own lr does not make it diverge.
    classes = shipped(name).model.decode_head.num_classes
    assert all(0.5 < step['decode.loss_ce'] / np.log(classes) < 2 for step in steps)
    assert set(result) >= {'aAcc', 'mIoU', 'mAcc'}


@pytest.mark.slow
@every_dataset
def test_metric_equals_that_of_the_label_maps(
    name: str,
    data: dict[str, Path],
    trained: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Random predictions of all classes, saved and compared with the drawn maps in numpy."""

    def random_logits(model: EncoderDecoder, inputs: Tensor, metas: Any) -> Tensor:
        coarse = torch.randn(len(inputs), model.out_channels, 4, 6)
        return F.interpolate(coarse, inputs.shape[-2:])

    monkeypatch.setattr(EncoderDecoder, 'encode_decode', random_logits)
    kind, classes = dataset_type(name), CLASSES[name]
    config = small(name, data[kind], tmp_path)
    metrics = evaluate(config, str(trained(name)), out=tmp_path / 'maps')
    found, truth = label_maps(tmp_path / 'maps', kind), [blocks(classes, seed) for seed in (3, 4)]
    assert len(np.unique(found)) > 15
    assert np.min(found) >= 0
    assert np.max(found) < classes
    assert metrics['mIoU'] == pytest.approx(mean_iou(found, truth, classes), abs=0.005)
    valid = np.stack(truth) != IGNORED
    accuracy = (np.stack(found) == np.stack(truth))[valid].mean()
    assert metrics['aAcc'] == pytest.approx(100 * accuracy, abs=0.005)


# Ground truth in four columns: ignored, class 0, 1, 2. Prediction: 0 left, 1 right. So class 0 is
# exact, 1 has one column of truth and two of prediction, 2 is never predicted: (1 + 1/2 + 0) ÷ 3.
BY_HAND = 50.0
# The mIoU if the encoding is misread.
MISREAD = {
    # Unchanged values 0…3: (1/2 + 0 + 0 + 0) ÷ 4.
    ADE20K: ({'reduce_zero_label': False}, 12.5),
    # labelIds 4, 7, 8 and 11 of the same columns are other classes.
    CITYSCAPES: ({'seg_map_suffix': '_gtFine_labelIds.png'}, 0.0),
}


@pytest.fixture
def halves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Predict class 0 in the left half and class 1 in the right."""

    def logits(model: EncoderDecoder, inputs: Tensor, metas: Any) -> Tensor:
        out = torch.zeros(len(inputs), model.out_channels, *inputs.shape[-2:])
        middle = inputs.shape[-1] // 2
        out[:, 0, :, :middle] = out[:, 1, :, middle:] = 1
        return out

    monkeypatch.setattr(EncoderDecoder, 'encode_decode', logits)


@pytest.mark.slow
@every_dataset
def test_metric_by_hand(name: str, trained: Trained, tmp_path: Path, halves: None) -> None:
    root, kind = tmp_path / 'data', dataset_type(name)
    WRITERS[kind](root, [quarters()] * 2, [quarters()])
    metrics = evaluate(small(name, root, tmp_path), str(trained(name)))
    assert metrics['mIoU'] == BY_HAND
    assert metrics['aAcc'] == pytest.approx(66.67)


@pytest.mark.slow
@pytest.mark.parametrize('name', MISREAD)
def test_a_misread_encoding_changes_the_metric(
    name: str, trained: Trained, tmp_path: Path, halves: None
) -> None:
    root, kind = tmp_path / 'data', dataset_type(name)
    WRITERS[kind](root, [quarters()] * 2, [quarters()])
    change, expected = MISREAD[name]
    changes = {f'test_dataloader.dataset.{key}': value for key, value in change.items()}
    metrics = evaluate(small(name, root, tmp_path, **changes), str(trained(name)))
    assert metrics['mIoU'] == expected


@every_dataset
def test_training_labels_are_class_indices(name: str, data: dict[str, Path]) -> None:
    """Without augmentations the loss receives the drawn label maps."""
    init_default_scope('mmseg')
    kind = dataset_type(name)
    dataset = small(name, data[kind], Path('unused')).train_dataloader.dataset
    for part in dataset.get('datasets', [dataset]):
        part.pipeline = [*part.pipeline[:2], dict(type='PackSegInputs')]
    samples = list(DATASETS.build(dataset))
    assert len(samples) == 3
    for seed, sample in enumerate(samples):
        labels = sample['data_samples'].gt_sem_seg.data
        assert np.array_equal(labels[0], blocks(CLASSES[name], seed))


def test_a_palette_is_read_as_indices(tmp_path: Path) -> None:
    write_voc(tmp_path, [quarters() + 0, quarters()], [quarters()])
    (path, *_) = sorted((tmp_path / 'SegmentationClass').glob('*.png'))
    image = Image.open(path)
    assert image.mode == 'P'
    # As viewers show them: border cream, class 0 black, 1 maroon, 2 green.
    colours = [image.convert('RGB').getpixel((WIDTH * i // 4, 0)) for i in range(4)]
    assert colours == [(224, 224, 192), (0, 0, 0), (128, 0, 0), (0, 128, 0)]
    assert colours == [voc_colour(index) for index in (255, 0, 1, 2)]
    results = dict(seg_map_path=str(path), reduce_zero_label=False, seg_fields=[])
    assert np.array_equal(LoadAnnotations().transform(results)['gt_seg_map'], quarters())


WINDOWS = {
    'model.test_cfg.mode': 'slide',
    'model.test_cfg.crop_size': (32, 32),
    'model.test_cfg.stride': (21, 21),
}


def test_windows(
    data: dict[str, Path],
    trained: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Windows start at 0, 21, 32 of 64 rows, and at 0, 21, 42, 63, 64 of 96 columns."""
    assert shipped('effnet_b5_upernet_ade20k').model.test_cfg == dict(
        mode='slide', crop_size=(512, 512), stride=(341, 341)
    )
    checkpoint = trained(CITYSCAPES)
    seen: list[Tensor] = []
    original = EncoderDecoder.encode_decode

    def spy(model: EncoderDecoder, inputs: Tensor, metas: Any) -> Tensor:
        seen.append(inputs)
        return original(model, inputs, metas)

    monkeypatch.setattr(EncoderDecoder, 'encode_decode', spy)
    config = small(CITYSCAPES, data['CityscapesDataset'], tmp_path, **WINDOWS)
    metrics = evaluate(config, str(checkpoint), show_dir=tmp_path / 'pictures')
    assert 'mIoU' in metrics
    drawn = [cv2.imread(str(path)).shape for path in (tmp_path / 'pictures').rglob('*.png')]
    assert drawn == [(HEIGHT, 2 * WIDTH, 3)] * 2, 'ground truth left, prediction right'
    assert [tuple(crop.shape) for crop in seen] == [(1, 3, 32, 32)] * 15 * 2


def logits_of(config: Config, model: EncoderDecoder, image: np.ndarray) -> Tensor:
    """Logits (C, H, W) of an image at its own size."""
    size = image.shape[:2]
    cfg = config.model.data_preprocessor
    x = mmcv.imnormalize(image, np.array(cfg.mean), np.array(cfg.std), to_rgb=True)
    x = torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)))[None].float()
    x = F.pad(x, (0, -size[1] % 32, 0, -size[0] % 32))
    with torch.no_grad():
        out = model.decode_head(model.extract_feat(x))
    return F.interpolate(out, x.shape[2:], mode='bilinear')[0, :, : size[0], : size[1]]


def merged(config: Config, model: EncoderDecoder, path: Path) -> np.ndarray:
    """The class of the largest mean probability over six scales and both flips (H, W)."""
    image = cv2.imread(str(path))
    total = torch.zeros(())
    for resize in config.tta_pipeline[1].transforms[0]:
        resized = mmcv.imrescale(image, tuple(resize.scale))
        for flip in (False, True):
            seen = resized[:, ::-1] if flip else resized
            logits = logits_of(config, model, np.ascontiguousarray(seen))
            logits = logits.flip(-1) if flip else logits
            resized_back = F.interpolate(logits[None], image.shape[:2], mode='bilinear')[0]
            total = total + resized_back.softmax(0)
    return total.argmax(0).numpy()


@pytest.mark.slow
@pytest.mark.parametrize('name', slow_except(CLASSES, VOC))
def test_flips_and_scales(
    name: str, data: dict[str, Path], trained: Trained, tmp_path: Path
) -> None:
    kind = dataset_type(name)
    config = small(name, data[kind], tmp_path)
    maps, folded = tmp_path / 'maps', tmp_path / 'folded'
    evaluate(config, str(trained(name)), out=maps, tta=True)
    again = small(name, data[kind], tmp_path)
    metrics = evaluate(again, str(trained(name)), out=folded, deployed=True, tta=True)

    model = build(small(name, data[kind], tmp_path)).eval()
    load_weights(model, str(trained(name)))
    dataset = DATASETS.build(config.test_dataloader.dataset)
    found = label_maps(maps, kind)
    for index, (merge, deployed) in enumerate(zip(found, label_maps(folded, kind), strict=True)):
        expected = merged(config, model, Path(dataset.get_data_info(index)['img_path']))
        assert (merge == expected).mean() > 0.999
        assert (deployed == merge).mean() > 0.999
    truth = [blocks(CLASSES[name], seed) for seed in (3, 4)]
    expected_iou = mean_iou(label_maps(folded, kind), truth, CLASSES[name])
    assert metrics['mIoU'] == pytest.approx(expected_iou, abs=0.005)


def test_tta_scales() -> None:
    """0.5 to 1.75 times the scale of the test images, mmseg's ratios."""
    for name in SMALL:
        config = shipped(name)
        width, height = config.test_dataloader.dataset.pipeline[1].scale
        scales, flips, *_ = config.tta_pipeline[1].transforms
        ratios = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
        assert [resize.scale for resize in scales] == [(width * r, height * r) for r in ratios]
        assert [flip.prob for flip in flips] == [0.0, 1.0]
        assert config.tta_model.type == 'SegTTAModel'


MMSEG = Path(mmseg.__file__).parent / '.mim' / 'configs' / '_base_'


def without_arguments(pipeline: list[Any], *names: str) -> list[dict[str, Any]]:
    """A pipeline's steps without some arguments, and without our scope in their types."""
    kept = [{key: value for key, value in step.items() if key not in names} for step in pipeline]
    return [{**step, 'type': step['type'].removeprefix('effnet_dense.')} for step in kept]


@pytest.mark.parametrize(
    ('name', 'base'),
    [(ADE20K, 'ade20k'), (CITYSCAPES, 'cityscapes'), (VOC, 'pascal_voc12_aug')],
)
def test_data_equal_mmsegs(name: str, base: str) -> None:
    """Except for Cityscapes' 4 images per GPU, and VOC's padding, done by the preprocessor."""
    ours, theirs = shipped(name), Config.fromfile(MMSEG / 'datasets' / f'{base}.py')
    assert ours.val_evaluator == theirs.val_evaluator
    for loop in ('train', 'val', 'test'):
        mine, expected = (config[f'{loop}_dataloader'] for config in (ours, theirs))
        assert mine.sampler == expected.sampler
        assert mine.batch_size == (4 if loop == 'train' else 1)
        pairs = [(mine.dataset, expected.dataset)]
        if 'datasets' in expected.dataset:
            pairs = list(zip(mine.dataset.datasets, expected.dataset.datasets, strict=True))
        for a, b in pairs:
            assert [a.type, a.data_root] == [b.type, b.data_root.rstrip('/')]
            assert a.data_prefix == b.data_prefix
            assert a.get('ann_file') == b.get('ann_file')
            steps = [step for step in b.pipeline if step.type != 'Pad']
            ignored = ('backend_args', 'reduce_zero_label')
            assert without_arguments(a.pipeline, *ignored) == without_arguments(steps, *ignored)


def test_sgd_schedule_equals_mmsegs() -> None:
    theirs = Config.fromfile(MMSEG / 'schedules' / 'schedule_80k.py')
    for name in ('effnet_b0_fpn_ade20k', 'effnet_b3_fpn_ade20k', 'effnet_b3_deeplabv3plus_ade20k'):
        for key in ('optim_wrapper', 'param_scheduler', 'train_cfg'):
            assert shipped(name)[key] == theirs[key]


@pytest.mark.parametrize('name', [VOC, 'effnet_b5_upernet_ade20k'])
def test_neck_and_heads_learn_four_times_as_fast(name: str) -> None:
    config = load_config(name)
    model = build(config)
    names = {id(parameter): key for key, parameter in model.named_parameters()}
    groups = build_optim_wrapper(model, config.optim_wrapper).optimizer.param_groups
    assert [len(group['params']) for group in groups] == [1] * len(names)
    for group in groups:
        (parameter,) = group['params']
        if names[id(parameter)].startswith('backbone.'):
            assert group['lr'] == 1e-4
            assert group['weight_decay'] == (0.05 if parameter.ndim == 4 else 0)
        else:
            assert group['lr'] == 4e-4


# Parameters, and convolutions' multiply-adds for one crop, of backbone, neck and head. The
# auxiliary head is used in training only.
COSTS = {
    'efficientdet_d4_seg_voc2012': (
        (16_742_216, 767_304, 176_533),
        (7_628_067_168, 1_646_958_592, 2_866_806_784),
    ),
    'effnet_b0_fpn_ade20k': (
        (3_595_388, 2_488_320, 1_643_158),
        (1_901_490_688, 13_027_508_224, 8_090_812_416),
    ),
    'effnet_b3_fpn_ade20k': (
        (10_103_336, 2_514_944, 1_643_158),
        (4_862_783_552, 13_079_937_024, 8_090_812_416),
    ),
    'effnet_b3_deeplabv3plus_ade20k': (
        (10_103_336, 0, 13_439_622),
        (9_680_724_032, 0, 23_329_832_960),
    ),
    'effnet_b5_upernet_ade20k': (
        (27_288_112, 0, 29_592_726),
        (12_010_576_704, 0, 210_206_457_856),
    ),
    'effnet_b3_bifpn_ade20k': (
        (10_103_336, 734_536, 209_686),
        (4_862_783_552, 1_625_987_072, 3_407_872_000),
    ),
    'effnet_b3_bifpn_cityscapes': (
        (10_103_336, 734_536, 176_019),
        (9_723_707_456, 3_251_974_144, 5_716_836_352),
    ),
    'effnet_lite0_eseg_cityscapes': (
        (2_958_848, 285_056, 15_635),
        (3_801_726_976, 918_505_856, 499_122_176),
    ),
}


@pytest.mark.slow
@every_config
def test_parameters_and_multiply_adds(name: str) -> None:
    config = load_config(FOLDER / f'{name}.py')
    model = build(config).eval().to('meta')
    x: Any = torch.empty(1, 3, *config.model.data_preprocessor.size, device='meta')
    parameters, multiply_adds = [], []
    for part in ('backbone', 'neck', 'decode_head'):
        module = getattr(model, part, torch.nn.Identity())
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            x = module(x)
        parameters.append(sum(parameter.numel() for parameter in module.parameters()))
        multiply_adds.append(counter.get_total_flops() // 2)  # counted as two operations each
    assert (tuple(parameters), tuple(multiply_adds)) == COSTS[name]
    height, width = config.model.data_preprocessor.size
    assert x.shape == (1, config.model.decode_head.num_classes, height // 4, width // 4)


@pytest.mark.slow
def test_cost_of_the_voc_model_and_the_papers() -> None:
    """Section 5.3 reports 18 billion FLOPs (multiply-adds), without an image size.

    The model has fewer at 512 px, and that many at about 620 px.
    """
    model = build(load_config(FOLDER / f'{VOC}.py')).eval().to('meta')
    billions = []
    for size in (512, 624):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(torch.empty(1, 3, size, size, device='meta'))
        billions.append(round(counter.get_total_flops() / 2e9, 1))
    assert billions == [12.1, 18.2]
    assert sum(parameter.numel() for parameter in model.parameters()) == 17_686_053
