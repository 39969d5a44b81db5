"""The same tools on a config of mmseg's."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from effnet_dense.weights.safe import safe_load
from tests.tools.tool import call

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
    """A config of mmseg's over three pictures (64 × 64) that are dark left and light right."""
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
    (folder / 'config.py').write_text(CONFIG.replace('DATA', str(folder)))
    return folder / 'config.py'


def test_trains_resumes_and_tests(
    config: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call('train', config, '--work-dir', tmp_path) == 0
    longer = ['--cfg-options', 'train_cfg.max_iters=4']
    assert call('train', config, '--work-dir', tmp_path, '--resume', *longer) == 0
    last = safe_load(tmp_path / 'iter_4.pth')
    assert last['meta']['iter'] == 4
    assert 'backbone.layers.3.1.linear_conv.conv.weight' in last['state_dict']

    pictures, labels = tmp_path / 'pictures', tmp_path / 'labels'
    words = [config, tmp_path / 'iter_4.pth', '--work-dir', tmp_path]
    assert call('test', *words, '--show-dir', pictures, '--out', labels) == 0
    assert 'mIoU' in ''.join(capfd.readouterr())
    drawn = [cv2.imread(str(path)) for path in pictures.rglob('*.png')]
    assert [picture.shape for picture in drawn] == [(64, 128, 3)] * 3, 'ground truth, prediction'
    maps = sorted(labels.glob('*.png'))
    assert [path.name for path in maps] == ['0.png', '1.png', '2.png']
    assert set(np.unique(cv2.imread(str(maps[0]), cv2.IMREAD_UNCHANGED))) <= {0, 1}


def test_data_folders_are_for_detection(
    config: Path, tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call('train', config, '--work-dir', tmp_path, '--data', tiny_data) == 2
    assert 'CocoDataset' in capsys.readouterr().err


def test_a_head_that_expects_other_channels(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [config, '--work-dir', tmp_path, '--cfg-options', 'model.decode_head.in_channels=24']
    assert call('train', *words) == 2
    assert 'decode_head.in_channels is [24]' in capsys.readouterr().err
