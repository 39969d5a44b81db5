"""The same tools on a config of mmseg's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from effnet_dense.weights.safe import safe_load
from tests.helpers.label_folder import write_classes, write_image, write_label
from tests.helpers.tool import call

CONFIG = """
default_scope = 'mmseg'
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor', size=(64, 64), seg_pad_val=255, bgr_to_rgb=True,
        mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(
        type='effnet_dense.EfficientNet', arch='lite0', out_indices=(2, 3),
        norm_cfg=dict(type='SyncBN', eps=1e-3, momentum=0.01)),
    decode_head=dict(
        type='FCNHead', in_channels=40, in_index=1, channels=8, num_convs=1, num_classes=2,
        norm_cfg=dict(type='SyncBN'), align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss')),
    train_cfg=dict(), test_cfg=dict(mode='whole'))
load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
dataset = dict(
    type='BaseSegDataset', data_root='DATA', img_suffix='.png', seg_map_suffix='.png',
    metainfo=dict(classes=('dark', 'light'), palette=[[0, 0, 0], [255, 0, 0]]),
    data_prefix=dict(img_path='images', seg_map_path='labels'),
    pipeline=[*load, dict(type='PackSegInputs')])
train_dataloader = dict(
    batch_size=2, num_workers=0, dataset=dataset, sampler=dict(type='InfiniteSampler'))
val_dataloader = dict(
    batch_size=1, num_workers=0, dataset=dataset, sampler=dict(type='DefaultSampler'))
test_dataloader = val_dataloader
val_evaluator = test_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2, val_interval=2)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01))
default_hooks = dict(
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2),
    visualization=dict(type='SegVisualizationHook'))
log_processor = dict(by_epoch=False)
visualizer = dict(
    type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')], name='visualizer')
"""


@pytest.fixture(scope='module')
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config of mmseg's over three images (64 × 64) that are dark left and light right."""
    folder = tmp_path_factory.mktemp('segmentation')
    for kind in ('images', 'labels'):
        (folder / kind).mkdir()
    label = np.zeros((64, 64), dtype=np.uint8)
    label[:, 32:] = 1
    for number in range(3):
        cv2.imwrite(
            str(folder / 'images' / f'{number}.png'), (40 + 170 * label)[..., None] + [0] * 3
        )
        cv2.imwrite(str(folder / 'labels' / f'{number}.png'), label)
    (folder / 'config.py').write_text(CONFIG.replace('DATA', str(folder)), encoding='utf-8')
    return folder / 'config.py'


@pytest.mark.slow
def test_trains_resumes_and_tests(
    config: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call('train', config, '--work-dir', tmp_path) == 0
    longer = ['--cfg-options', 'train_cfg.max_iters=4']
    assert call('train', config, '--work-dir', tmp_path, '--resume', *longer) == 0
    last = safe_load(tmp_path / 'iter_4.pth')
    assert last['meta']['iter'] == 4
    assert 'backbone.layers.3.1.linear_conv.conv.weight' in last['state_dict']

    page = (tmp_path / 'report' / 'index.html').read_text(encoding='utf-8')
    assert 'Validation after step 4 of 4' in page and 'id="curves"' in page
    assert len(list((tmp_path / 'report' / 'images').glob('*.jpg'))) == 3

    pictures, labels = tmp_path / 'pictures', tmp_path / 'labels'
    words = [config, tmp_path / 'iter_4.pth', '--work-dir', tmp_path]
    assert call('test', *words, '--show-dir', pictures, '--out', labels) == 0
    assert 'mIoU' in ''.join(capfd.readouterr())
    drawn = [cv2.imread(str(path)) for path in pictures.rglob('*.png')]
    assert [image.shape for image in drawn] == [(64, 128, 3)] * 3, 'ground truth, prediction'
    maps = sorted(labels.glob('*.png'))
    assert [path.name for path in maps] == ['0.png', '1.png', '2.png']
    assert set(np.unique(cv2.imread(str(maps[0]), cv2.IMREAD_UNCHANGED))) <= {0, 1}


@pytest.mark.slow
@pytest.mark.parametrize('damaged', [b'no image', b''])
def test_label_maps_that_cannot_be_read_are_left_out_in_training(
    damaged: bytes, config: Path, tmp_path: Path
) -> None:
    """Without --data, by mmseg's loader."""
    folder = shutil.copytree(config.parent, tmp_path / 'copy')
    text = CONFIG.replace('DATA', str(folder))
    (folder / 'config.py').write_text(text, encoding='utf-8')
    (folder / 'labels' / '1.png').write_bytes(damaged)
    words = [folder / 'config.py', '--work-dir', tmp_path / 'run', '--skip-bad', 0.5]
    options = ['report=False', 'val_cfg=None', 'val_dataloader=None', 'val_evaluator=None']
    assert call('train', *words, '--cfg-options', *options) == 0
    listed = (tmp_path / 'run' / 'skipped_images.json').read_text(encoding='utf-8')
    assert '1.png' in listed and 'labels' in listed


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder for --data of three classes: files of several kinds, 7 is no class."""
    root = tmp_path / 'own'
    write_classes(root, {'classes': ['left', 'middle', 'right'], 'ignore': 7})
    values = np.repeat(np.array([0, 1, 2, 7], dtype=np.uint8), 16)[None].repeat(64, 0)
    for part in ('train', 'val'):
        for name in ('grey.jpg', 'deep.png', 'palette.bmp'):
            write_image(root / 'images' / part / name, 64, 64)
        write_label(root / 'labels' / part / 'grey.png', values)
        write_label(root / 'labels' / part / 'deep.png', values.astype(np.uint16))
        image = Image.fromarray(values).convert('P')
        image.putdata(values.ravel().tolist())
        image.save(root / 'labels' / part / 'palette.png')
    return root


@pytest.mark.slow
def test_trains_and_tests_on_own_label_maps(
    config: Path, own: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ['--work-dir', tmp_path / 'work', '--data', own]
    assert call('train', config, *words) == 0
    shown = ''.join(capfd.readouterr())
    assert 'images/train: 3 images with label maps, 3 classes' in shown
    assert 'left 3072 (25.0%), middle 3072 (25.0%), right 3072 (25.0%), ignored 3072' in shown
    checkpoint = tmp_path / 'work' / 'iter_2.pth'
    assert safe_load(checkpoint)['meta']['dataset_meta']['classes'] == ('left', 'middle', 'right')

    shutil.rmtree(own / 'images/train')  # which testing does not need
    pictures, labels = tmp_path / 'pictures', tmp_path / 'labels'
    assert call('test', config, checkpoint, *words, '--show-dir', pictures, '--out', labels) == 0
    shown = ''.join(capfd.readouterr())
    for name in ('left', 'middle', 'right', 'mIoU'):
        assert name in shown
    assert len(list(pictures.glob('[!.]*'))) == len(list(labels.glob('*.png'))) == 3


@pytest.mark.slow
def test_options_win_over_data(
    config: Path, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    option = 'train_dataloader.dataset.pipeline.1.num_classes=2'
    words = [config, '--work-dir', tmp_path, '--data', own, '--cfg-options', option]
    assert call('train', *words) == 2
    assert 'expected classes 0 to 1 (7 is ignored), got 2 (1024 pixels)' in capsys.readouterr().err


def wrong_value(own: Path) -> None:
    write_label(own / 'labels/val/grey.png', np.full((64, 64), 3, np.uint8))


def wrong_size(own: Path) -> None:
    write_label(own / 'labels/val/grey.png', np.zeros((64, 63), np.uint8))


def colours(own: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 3, (64, 64, 3), dtype=np.uint8)
    write_label(own / 'labels/val/grey.png', noise)


def no_label(own: Path) -> None:
    (own / 'labels/train/deep.png').unlink()


def two_images(own: Path) -> None:
    write_image(own / 'images/train/grey.bmp', 64, 64)


def ignored_class(own: Path) -> None:
    write_classes(own, {'classes': ['a', 'b', 'c'], 'ignore': 2})


def no_classes(own: Path) -> None:
    (own / 'classes.json').unlink()


@pytest.mark.parametrize(
    ('spoil', 'words'),
    [
        (
            wrong_value,
            'missing in classes.json?: 3 (4096 pixels in 1 file: grey.png)',
        ),
        (wrong_size, 'grey.png is 63 × 64, the image 64 × 64'),
        (colours, 'grey.png (expected one channel with a class index per pixel'),
        (no_label, 'image without a label map'),
        (two_images, 'several images for one label map: grey.bmp and grey.jpg'),
        (ignored_class, "'ignore' is 2, which is also a class"),
        (no_classes, 'classes.json with {"classes"'),
    ],
)
def test_faulty_label_maps(
    config: Path,
    own: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], None],
    words: str,
) -> None:
    spoil(own)
    assert call('train', config, '--work-dir', tmp_path / 'work', '--data', own) == 2
    errors = capsys.readouterr().err
    assert words in errors and 'Traceback' not in errors
    assert not (tmp_path / 'work').exists()


def test_folders_of_the_other_kind(
    config: Path, tiny_data: Path, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    boxes = shutil.copytree(tiny_data, tmp_path / 'boxes')
    for path in boxes.glob('annotations/*.json'):
        content = json.loads(path.read_text(encoding='utf-8'))
        for annotation in content['annotations']:
            del annotation['segmentation']
        path.write_text(json.dumps(content), encoding='utf-8')
    assert call('train', config, '--work-dir', tmp_path / 'work', '--data', boxes) == 2
    assert 'no masks or polygons, only 8 boxes' in capsys.readouterr().err
    detector = 'effnet_lite0_retinanet_finetune'
    assert call('train', detector, '--work-dir', tmp_path, '--data', own) == 2
    assert 'Label maps need an mmseg config, for segmentation' in capsys.readouterr().err


def test_a_head_that_expects_other_channels(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [config, '--work-dir', tmp_path, '--cfg-options', 'model.decode_head.in_channels=24']
    assert call('train', *words) == 2
    assert 'decode_head.in_channels is [24]' in capsys.readouterr().err
