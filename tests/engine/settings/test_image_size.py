"""`--image-size`: the size that the network gets, and that no other one is left in a config."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mmdet
import mmseg
import pytest
from mmengine.config import Config, ConfigDict

from effnet_dense.engine.config import load_config, shipped_configs
from effnet_dense.engine.runner import Runner
from effnet_dense.engine.settings.image_size import set_image_size
from effnet_dense.inference import Predictor
from effnet_dense.settings import Settings
from tests.helpers.seen_sizes import seen_sizes
from tests.helpers.setting_runs import tiny_run
from tests.helpers.tiers import slow_except
from tests.helpers.tiny import write_data

STOCK = {
    name: Path(package.__file__).parent / '.mim' / 'configs'
    for name, package in (('mmdet', mmdet), ('mmseg', mmseg))
}
FAST = (
    'mmdet/retinanet/retinanet_r50_fpn_1x_coco.py',
    'mmdet/yolox/yolox_s_8xb8-300e_coco.py',
    'mmdet/rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
    'mmdet/detr/detr_r50_8xb2-150e_coco.py',
    'mmdet/strong_baselines/mask-rcnn_r50_fpn_rpn-2conv_4conv1fc_syncbn-all_amp-lsj-100e_coco.py',
    'mmseg/pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py',
    'mmseg/san/san-vit-b16_coco-stuff164k-640x640.py',
    'mmseg/unet/unet-s5-d16_fcn_4xb4-40k_drive-64x64.py',
)
# Folder → why a size of its config is no size of its images.
OTHER_SIZES = {
    'deepsort': 'tracker.reid.img_scale: crops of people, for another network',
    'strongsort': 'tracker.reid.img_scale',
    'dyhead': 'pad_size_divisor=128: a multiple, of images of 1333 × 800',
    'guided_anchoring': 'its first config is of mmdet 2 and cannot be run',
    'dpt': 'img_size=224 of the pretraining: position embeddings are interpolated',
    'san': 'img_size=224 of CLIP’s image encoder: position embeddings are interpolated',
}
REFUSED = {'centripetalnet', 'cornernet', 'centernet', 'ssd', 'qdtrack'}
KEYS = {
    *('border', 'crop_size', 'height', 'image_size', 'img_scale', 'img_scales', 'img_size'),
    *('input_size', 'max_size', 'pad_size_divisor', 'random_size_range', 'scale', 'scales'),
    *('size', 'size_divisor', 'stride', 'width'),
}


def sizes(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield the numbers under keys that may be sizes, from 100 pixels on."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from sizes(value, (*path, str(key)))
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from sizes(value, (*path, str(index)))
    elif isinstance(node, int | float) and abs(node) >= 100:
        names = [part for part in path if not part.isdigit()]
        if names and names[-1] in KEYS:
            yield path, node


def changed(config: Config, size: tuple[int, int]) -> list[str]:
    """Set the size, and return the sizes that stayed."""
    before = dict(sizes(config._cfg_dict))
    set_image_size(config, size)
    after = dict(sizes(config._cfg_dict))
    assert before
    return ['.'.join(path) for path, value in before.items() if after.get(path) == value]


@pytest.mark.parametrize('name', FAST)
def test_no_size_of_a_stock_config_stays(name: str) -> None:
    root, _, path = name.partition('/')
    config = Config.fromfile(STOCK[root] / path)
    left = changed(config, (352, 352))
    if path.startswith('san/'):
        left.remove('model.image_encoder.img_size.0')
        left.remove('model.image_encoder.img_size.1')
    assert left == []


@pytest.mark.slow
@pytest.mark.parametrize('library', STOCK)
def test_no_size_of_any_folder_stays(library: str) -> None:
    """One config of each folder; those that need packages that are not installed are left out."""
    warnings.simplefilter('ignore')
    left, refused = {}, set()
    for folder in sorted(STOCK[library].iterdir()):
        files = sorted(folder.glob('*.py'))
        if folder.name == '_base_' or not files:
            continue
        try:
            config = Config.fromfile(files[0])
        except ImportError:
            continue
        try:
            found = changed(config, (352, 352))
        except ValueError:
            refused.add(folder.name)
            continue
        if found and folder.name not in OTHER_SIZES:
            left[files[0].name] = found
    assert left == {}
    assert refused <= REFUSED


@pytest.mark.parametrize(
    'name', slow_except(shipped_configs(), 'efficientdet_d0_coco', 'effnet_b0_rtmdet_ins_coco')
)
def test_no_size_of_a_shipped_config_stays(name: str) -> None:
    # Multiples of 256, D7x's largest stride, that are no config's own size.
    allowed = {'train_pipeline.2.scale', 'dataset.pipeline.2.scale', 'dataset.pipeline.1.scale'}
    left = changed(load_config(name), (256, 256))
    if 'camvid' in name:  # scales follow the shorter side of 320 × 416
        assert not left
    assert [path for path in left if not any(part in path for part in allowed)] == []


RUNS = (
    'effnet_lite0_retinanet_finetune',
    'efficientdet_lite0_finetune',
    'effnet_lite0_mask_rcnn_finetune',
    'effnet_lite0_retinanet_mosaic_finetune',
)


@pytest.mark.parametrize('name', slow_except(RUNS, RUNS[0]))
def test_detectors_get_the_size(name: str, tmp_path: Path) -> None:
    """In training, in testing, and in a prediction with the config of the checkpoint's folder."""
    data = write_data(tmp_path / 'data', train=2, val=1)
    config = tiny_run(name, data, tmp_path, Settings(image_size=(128, 128), weights='none'))
    with seen_sizes() as seen:
        runner = Runner.from_cfg(config)
        runner.train()
    assert seen == {'train': {(128, 128)}, 'eval': {(128, 128)}}
    saved = Config.fromfile(next(tmp_path.glob('*.py')))
    with seen_sizes() as seen:
        predictor = Predictor(saved, tmp_path / 'epoch_1.pth')
        list(predictor([data / 'images' / 'val' / '0.png']))
    assert seen['eval'] == {(128, 128)}


@pytest.mark.slow
def test_segmentors_get_crops_of_the_size(tmp_path: Path) -> None:
    """Tests are at the scale of training: 480 × 360 for crops of 320 × 416 is 108 for 96."""
    data = write_data(tmp_path / 'data', train=2, val=1)
    settings = Settings(image_size=(96, 96), weights='none')
    config = tiny_run('effnet_lite0_fpn_camvid', data, tmp_path, settings)
    with seen_sizes() as seen:
        Runner.from_cfg(config).train()
    assert seen == {'train': {(96, 96)}, 'eval': {(128, 128)}}  # 108, padded to multiples of 32
    with seen_sizes() as seen:
        predictor = Predictor(config, next(tmp_path.glob('*.pth')))
        result = list(predictor([data / 'images' / 'val' / '0.png']))
    assert seen['eval'] == {(128, 128)}
    assert len(result) == 1


def test_wide_images() -> None:
    config = load_config('efficientdet_lite0_finetune', settings=Settings(image_size=(192, 128)))
    preprocessor = config.model.data_preprocessor
    assert preprocessor.batch_augments[0].size == (128, 192)  # height, width
    assert preprocessor.pad_size_divisor == 64  # pads what fits into 192 × 128 to no more than it
    pipeline = config.train_dataloader.dataset.pipeline
    assert (pipeline[2].scale, pipeline[3].crop_size) == ((192, 128), (192, 128))


@pytest.mark.parametrize(
    ('name', 'size', 'message'),
    [
        ('efficientdet_d0_coco', (500, 500), 'multiples of 128 .* 384 or 512'),
        ('efficientdet_lite0_finetune', (100, 100), 'multiples of 64 .* 64 or 128'),
        ('efficientdet_d7x_coco', (640, 640), 'multiples of 256'),
        ('effnet_lite0_retinanet_finetune', (300, 320), 'multiples of 32 .* 288 or 320 × 320'),
        ('effnet_b3_bifpn_ade20k', (16, 16), 'multiples of 32 from 32'),
    ],
)
def test_sizes_that_a_network_does_not_take(name: str, size: tuple[int, int], message: str) -> None:
    with pytest.raises(ValueError, match=f'--image-size {size[0]}.*{message}'):
        load_config(name, settings=Settings(image_size=size))


@pytest.mark.parametrize(
    ('path', 'message'),
    [
        ('ssd/ssd300_coco.py', 'anchors of this SSD .* 300'),
        ('centernet/centernet_r18_8xb16-crop512-140e_coco.py', 'RandomCenterCropPad'),
    ],
)
def test_stock_configs_that_have_no_other_size(path: str, message: str) -> None:
    config = Config.fromfile(STOCK['mmdet'] / path)
    with pytest.raises(ValueError, match=message):
        set_image_size(config, (256, 256))


def test_unknown_sizes_are_refused() -> None:
    config = load_config('effnet_lite0_retinanet_finetune')
    crop = dict(type='RandomResizedCrop', height=64, width=64)
    step = dict(type='effnet_dense.Albumentations', transforms=[crop])
    config.train_dataloader.dataset.pipeline.insert(2, step)
    with pytest.raises(ValueError, match='height=64 of Albumentations in train_dataloader'):
        set_image_size(config, (256, 256))


def test_images_that_pipelines_keep_are_resized_in_tests() -> None:
    config = load_config('effnet_lite0_fpn_camvid')
    loaders = [config.val_dataloader, config.test_dataloader]
    for loader in loaders:
        del loader.dataset.pipeline[1]
    config.tta_pipeline[1].transforms[0] = [
        ConfigDict(type='Resize', scale_factor=factor, keep_ratio=True) for factor in (0.75, 1.5)
    ]
    set_image_size(config, (224, 160))
    for loader in loaders:
        step = loader.dataset.pipeline[1]
        assert (step.type, step.scale, step.keep_ratio) == ('Resize', (240, 180), True)
        assert loader.dataset.pipeline[2].type == 'effnet_dense.LoadLabelMap'
    scales = [step.scale for step in config.tta_pipeline[1].transforms[0]]
    assert scales == [(180, 135), (360, 270)]


def test_test_images_have_the_scale_of_training() -> None:
    config = load_config('effnet_lite0_fpn_camvid')
    set_image_size(config, (224, 160))
    for loader in (config.val_dataloader, config.test_dataloader):
        assert loader.dataset.pipeline[1].scale == (240, 180)
    assert config.train_dataloader.dataset.pipeline[2].scale == (240, 180)
    scales = [step.scale for step in config.tta_pipeline[1].transforms[0]]
    assert scales == [(180, 135), (240, 180), (300, 225), (360, 270)]


def test_random_scales_keep_their_zoom() -> None:
    config = Config.fromfile(STOCK['mmdet'] / 'detr/detr_r50_8xb2-150e_coco.py')
    set_image_size(config, (640, 640))
    choices = config.train_dataloader.dataset.pipeline[3].transforms
    assert choices[0][0].scales[0] == (384, 384)  # 480 of 800
    assert choices[0][0].scales[-1] == (640, 640)
    assert choices[1][1].crop_size == (230, 360)  # a range of sides


def test_the_same_aspect_keeps_both_sides() -> None:
    path = 'mask_rcnn/mask-rcnn_r50_fpn_ms-poly-3x_coco.py'
    config = Config.fromfile(STOCK['mmdet'] / path)
    set_image_size(config, (1000, 600))
    resize = config.train_dataloader.dataset.dataset.pipeline[2]
    assert resize.scale == [(1000, 480), (1000, 600)]
    assert config.test_dataloader.dataset.pipeline[1].scale == (1000, 600)


def test_crops_of_a_segmentor_without_a_size_are_batched() -> None:
    """mmseg's config has neither size nor size_divisor, without which it cannot batch images."""
    config = Config.fromfile(STOCK['mmseg'] / 'upernet/upernet_r18_4xb4-80k_ade20k-512x512.py')
    set_image_size(config, (256, 128))
    assert config.model.data_preprocessor.size == (128, 256)
