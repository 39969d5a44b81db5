"""A detector that mmdet made and saved, evaluated by our config: the same detections."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import MODELS, RUNNERS, init_default_scope
from mmengine.runner import save_checkpoint
from torch import nn

from effnet_dense.engine.config import load_config

SMALL = {
    'model.neck.out_channels': 32,
    'model.bbox_head.in_channels': 32,
    'model.bbox_head.feat_channels': 32,
    'model.bbox_head.stacked_convs': 2,
    'model.bbox_head.num_classes': 5,
}


def randomise(model: nn.Module) -> None:
    """Weights of every scale and BN statistics that a wrong eps or name would show in."""
    draw = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for tensor, low, high in (
                (module.weight, 0.3, 0.7),
                (module.running_var, 0.8, 1.6),
                (module.bias, -0.2, 0.2),
                (module.running_mean, -0.2, 0.2),
            ):
                tensor.data.uniform_(low, high, generator=draw)
        elif isinstance(module, nn.Conv2d):
            fan_in = module.weight[0].numel()
            module.weight.data.normal_(0, 2 * fan_in**-0.5, generator=draw)
    head = model.bbox_head
    head.retina_cls.weight.data.mul_(2)
    head.retina_cls.bias.data.fill_(-2.0)


def mmdet_model(config: Config) -> nn.Module:
    """The same detector on mmdet's own backbone."""
    init_default_scope('mmdet')
    backbone = dict(
        type='mmdet.EfficientNet', arch='b0', out_indices=(3, 4, 5), norm_cfg=dict(type='BN')
    )
    backbone['norm_cfg'].update(eps=1e-3, momentum=0.01)
    return MODELS.build({**config.model, 'backbone': backbone}).eval()


def detect(model: nn.Module) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Boxes (K, 4), scores (K,) and labels (K,) on an image of random blocks."""
    height, width = 192, 256
    noise = torch.Generator().manual_seed(1)
    blocks = torch.randint(0, 256, (3, 12, 16), generator=noise, dtype=torch.uint8)
    image = blocks.repeat_interleave(16, 1).repeat_interleave(16, 2)
    sample = DetDataSample(
        metainfo=dict(
            img_shape=(height, width),
            ori_shape=(height, width),
            scale_factor=(1.0, 1.0),
            batch_input_shape=(height, width),
        )
    )
    with torch.no_grad():
        found = model.test_step(dict(inputs=[image], data_samples=[sample]))[0].pred_instances
    return found.bboxes, found.scores, found.labels


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load_config('effnet_b0_retinanet_coco', options=SMALL, work_dir=tmp_path / 'run')


def test_mmdets_checkpoint_gives_mmdets_detections(config: Config, tmp_path: Path) -> None:
    peer = mmdet_model(config)
    randomise(peer)
    boxes, scores, labels = detect(peer)
    assert len(boxes) >= 50
    assert len(labels.unique()) > 1

    path = str(tmp_path / 'mmdet.pth')
    save_checkpoint(dict(meta=dict(dataset_meta={}), state_dict=peer.state_dict()), path)
    runner = RUNNERS.build(config)
    before = detect(runner.model.eval())
    assert len(before[0]) != len(boxes) or not torch.allclose(before[0], boxes, atol=1.0)

    runner.load_checkpoint(path)
    ours = detect(runner.model.eval())
    assert torch.equal(ours[2], labels)
    assert (ours[0] - boxes).abs().max() <= 1e-3
    assert (ours[1] - scores).abs().max() <= 1e-5


def test_a_detector_of_another_size_is_refused(config: Config, tmp_path: Path) -> None:
    peer = mmdet_model(config)
    state = peer.state_dict()
    state['neck.fpn_convs.0.conv.weight'] = state['neck.fpn_convs.0.conv.weight'][:16]
    path = str(tmp_path / 'mmdet.pth')
    save_checkpoint(dict(state_dict=state), path)
    with pytest.raises(ValueError, match=r'neck\.fpn_convs\.0\.conv\.weight'):
        RUNNERS.build(config).load_checkpoint(path)
