"""Backbone and BiFPN in mmdet's and mmseg's own base configs: a training step and a prediction."""

from pathlib import Path
from typing import Any

import mmdet
import mmseg
import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from tests.helpers.model_checks import check_detector, check_step
from tests.helpers.tiers import slow_except

DETECTION = Path(mmdet.__file__).parent / '.mim' / 'configs'
SEGMENTATION = Path(mmseg.__file__).parent / '.mim' / 'configs'
# B0's channels at strides 4, 8, 16, 32.
CHANNELS = [24, 40, 112, 320]
BACKBONE = dict(type='effnet_dense.EfficientNet', arch='b0')

DETECTORS = {
    'Faster R-CNN': ('_base_/models/faster-rcnn_r50_fpn.py', (2, 3, 4, 5)),
    'Mask R-CNN': ('_base_/models/mask-rcnn_r50_fpn.py', (2, 3, 4, 5)),
    'Cascade R-CNN': ('_base_/models/cascade-rcnn_r50_fpn.py', (2, 3, 4, 5)),
    'RetinaNet': ('_base_/models/retinanet_r50_fpn.py', (2, 3, 4, 5)),
    'FCOS': ('fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', (2, 3, 4, 5)),
    'ATSS': ('atss/atss_r50_fpn_1x_coco.py', (2, 3, 4, 5)),
    'Deformable DETR': ('deformable_detr/deformable-detr_r50_16xb2-50e_coco.py', (3, 4, 5)),
}
SEGMENTORS = {
    'FPN': '_base_/models/fpn_r50.py',
    'UPerNet': '_base_/models/upernet_r50.py',
    'DeepLabV3+': '_base_/models/deeplabv3plus_r50-d8.py',
}

# Those whose heads stand on a pyramid, and the stride of its finest level as a power of two.
WITH_BIFPN = {'Faster R-CNN': 2, 'Mask R-CNN': 2, 'RetinaNet': 3, 'FCOS': 3, 'ATSS': 3}


def bifpn(first: int, num_outs: int) -> dict[str, Any]:
    """P`first` and what follows, as wide as FPN's levels are in these configs."""
    return dict(
        type='effnet_dense.BiFPN',
        in_channels=CHANNELS[first - 2 :],
        out_channels=256,
        num_outs=num_outs,
        num_cells=1,
    )


@pytest.mark.parametrize('name', slow_except(DETECTORS, 'Faster R-CNN', 'RetinaNet'))
def test_detectors_of_mmdet(name):
    path, out_indices = DETECTORS[name]
    config = Config.fromfile(DETECTION / path).model
    config.backbone = {**BACKBONE, 'out_indices': out_indices}
    config.neck.in_channels = [CHANNELS[index - 2] for index in out_indices]
    check_detector(config, with_mask='Mask' in name)


@pytest.mark.parametrize('name', slow_except(WITH_BIFPN, 'RetinaNet'))
def test_detectors_of_mmdet_on_bifpn(name):
    first = WITH_BIFPN[name]
    config = Config.fromfile(DETECTION / DETECTORS[name][0]).model
    config.backbone = {**BACKBONE, 'out_indices': tuple(range(first, 6))}
    config.neck = bifpn(first, config.neck.num_outs)
    check_detector(config, with_mask='Mask' in name)


@pytest.mark.parametrize('name', slow_except(SEGMENTORS, 'FPN'))
def test_segmentors_of_mmseg(name):
    config = Config.fromfile(SEGMENTATION / SEGMENTORS[name]).model
    if 'neck' in config:
        config.neck.in_channels = CHANNELS
    elif name == 'DeepLabV3+':
        config.decode_head.update(in_channels=CHANNELS[3], c1_in_channels=CHANNELS[0])
    else:
        config.decode_head.in_channels = CHANNELS
    if 'auxiliary_head' in config:
        config.auxiliary_head.in_channels = CHANNELS[2]
    check_segmentor(config)


@pytest.mark.parametrize('name', slow_except(['FPN', 'UPerNet'], 'FPN'))
def test_segmentors_of_mmseg_on_bifpn(name):
    config = Config.fromfile(SEGMENTATION / SEGMENTORS[name]).model
    config.neck = bifpn(2, num_outs=4)
    config.decode_head.in_channels = [256] * 4
    if 'auxiliary_head' in config:
        config.auxiliary_head.in_channels = 256
    check_segmentor(config)


def check_segmentor(config: ConfigDict) -> None:
    init_default_scope('mmseg')
    config.pretrained = None
    config.data_preprocessor.size = (64, 96)
    config.backbone = {**BACKBONE, 'out_indices': (2, 3, 4, 5)}
    torch.manual_seed(0)
    model = revert_sync_batchnorm(MODELS.build(config))
    model.init_weights()

    classes = config.decode_head.num_classes
    generator = np.random.default_rng(0)
    images = [torch.randint(256, (3, 64, 96), dtype=torch.uint8) for _ in range(2)]
    samples = []
    for _ in images:
        sample = SegDataSample(metainfo=dict(ori_shape=(64, 96), img_shape=(64, 96)))
        labels = torch.from_numpy(generator.integers(classes, size=(1, 64, 96)))
        sample.gt_sem_seg = PixelData(data=labels)
        samples.append(sample)
    batch = dict(inputs=images, data_samples=samples)
    data = model.data_preprocessor(batch, training=True)
    check_step(model.train(), model(**data, mode='loss'))

    model.eval()
    with torch.no_grad():
        predictions = model(**model.data_preprocessor(batch, training=False), mode='predict')
    for prediction in predictions:
        assert prediction.pred_sem_seg.data.shape == (1, 64, 96)
        assert int(prediction.pred_sem_seg.data.max()) < classes
