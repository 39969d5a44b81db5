"""Backbone and BiFPN in mmdet's and mmseg's own base configs: a training step and a prediction."""

from pathlib import Path
from typing import Any

import mmdet
import mmseg
import numpy as np
import pytest
import torch
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config, ConfigDict
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from effnet_dense.models import BiFPN

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


def shrink(config: ConfigDict) -> None:
    """Fewer proposals and narrower fully connected layers: the same code, a tenth of the time."""
    if 'roi_head' not in config:
        return
    heads = config.roi_head.bbox_head
    for head in heads if isinstance(heads, list) else [heads]:
        head.fc_out_channels = 64
    for cfg in (config.train_cfg.rpn_proposal, config.test_cfg.rpn):
        cfg.max_per_img = 50


def check_step(model: nn.Module, losses: dict[str, Tensor | list[Tensor]]) -> None:
    """Backpropagate the sum; every gradient is finite, backbone and BiFPN have one throughout."""
    total, _ = model.parse_losses(losses)
    total.backward()
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            assert torch.isfinite(parameter.grad).all(), name
    gradients = {name: p.grad for name, p in model.backbone.named_parameters()}
    if isinstance(getattr(model, 'neck', None), BiFPN):
        gradients |= {f'neck.{name}': p.grad for name, p in model.neck.named_parameters()}
    assert all(gradient is not None for gradient in gradients.values())
    assert sum(gradient.abs().sum() for gradient in gradients.values()) > 0


@pytest.mark.parametrize('name', DETECTORS)
def test_detectors_of_mmdet(name):
    path, out_indices = DETECTORS[name]
    config = Config.fromfile(DETECTION / path).model
    config.backbone = {**BACKBONE, 'out_indices': out_indices}
    config.neck.in_channels = [CHANNELS[index - 2] for index in out_indices]
    check_detector(config, with_mask='Mask' in name)


@pytest.mark.parametrize('name', WITH_BIFPN)
def test_detectors_of_mmdet_on_bifpn(name):
    first = WITH_BIFPN[name]
    config = Config.fromfile(DETECTION / DETECTORS[name][0]).model
    config.backbone = {**BACKBONE, 'out_indices': tuple(range(first, 6))}
    config.neck = bifpn(first, config.neck.num_outs)
    check_detector(config, with_mask='Mask' in name)


def check_detector(config: ConfigDict, with_mask: bool) -> None:
    from mmdet.registry import MODELS

    init_default_scope('mmdet')
    shrink(config)
    torch.manual_seed(0)
    model = revert_sync_batchnorm(MODELS.build(config))
    model.init_weights()

    batch = demo_mm_inputs(2, [[3, 96, 128], [3, 128, 96]], num_classes=80, with_mask=with_mask)
    data = model.data_preprocessor(batch, training=True)
    check_step(model.train(), model(**data, mode='loss'))

    model.eval()
    batch = demo_mm_inputs(1, [[3, 96, 128]], num_classes=80)
    with torch.no_grad():
        (sample,) = model(**model.data_preprocessor(batch, training=False), mode='predict')
    boxes = sample.pred_instances.bboxes
    assert boxes.shape == (len(sample.pred_instances.scores), 4)
    assert torch.isfinite(boxes).all()
    if with_mask:
        assert sample.pred_instances.masks.shape[1:] == tuple(sample.ori_shape)


@pytest.mark.parametrize('name', SEGMENTORS)
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


@pytest.mark.parametrize('name', ['FPN', 'UPerNet'])
def test_segmentors_of_mmseg_on_bifpn(name):
    config = Config.fromfile(SEGMENTATION / SEGMENTORS[name]).model
    config.neck = bifpn(2, num_outs=4)
    config.decode_head.in_channels = [256] * 4
    if 'auxiliary_head' in config:
        config.auxiliary_head.in_channels = 256
    check_segmentor(config)


def check_segmentor(config: ConfigDict) -> None:
    from mmseg.registry import MODELS

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
