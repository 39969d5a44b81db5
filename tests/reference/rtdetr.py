"""A tiny RT-DETR with weights by a formula, and what transformers' RT-DETR computes with them.

Run as a script, with transformers 5 installed, it writes `rtdetr.json`:

    pip install transformers && python -m tests.reference.rtdetr
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

import effnet_dense  # noqa: F401, isort: skip
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch import Tensor, nn

FILE = Path(__file__).with_suffix('.json')
CHANNELS = (8, 12, 16)
WIDTH, HEADS, CLASSES, QUERIES = 32, 4, 3, 10
SIZE = (64, 96)
BOXES = [[[8.0, 8.0, 40.0, 30.0], [50.0, 20.0, 90.0, 60.0]], [[4.0, 30.0, 60.0, 62.0]]]
LABELS = [[0, 2], [1]]


def wave(values: Tensor, seed: float, scale: float) -> None:
    """Fill a tensor with sines: the same numbers with every version of PyTorch."""
    steps = torch.arange(values.numel(), dtype=torch.float64)
    values.data.copy_((scale * torch.sin(steps * 12.9898 + seed)).reshape(values.shape))


def fill(model: nn.Module) -> None:
    """Give a model its weights and statistics."""
    for number, (name, values) in enumerate(sorted(model.state_dict().items())):
        if values.is_floating_point():
            fan = values[0].numel() if values.dim() > 1 else 1
            wave(values, number, 0.3 if values.dim() < 2 else 1.5 / fan**0.5)
            if re.search(r'(bn|norms\.\d|norm)\.weight$|running_var$', name):
                values.add_(1)


def layers(count: int) -> ConfigDict:
    """A config of the detector with so many decoder layers."""
    attention = dict(embed_dims=WIDTH, num_heads=HEADS, dropout=0.0)
    deformable = dict(embed_dims=WIDTH, num_heads=HEADS, num_levels=3, dropout=0.0)
    ffn = dict(embed_dims=WIDTH, feedforward_channels=48, ffn_drop=0.0)
    return ConfigDict(
        type='effnet_dense.RTDETR',
        num_queries=QUERIES,
        backbone=dict(type='effnet_dense.EfficientNet', arch='lite0', out_indices=(3, 4, 5)),
        neck=dict(
            type='effnet_dense.HybridEncoder',
            in_channels=CHANNELS,
            out_channels=WIDTH,
            expansion=0.5,
            layer_cfg=dict(self_attn_cfg=attention, ffn_cfg={**ffn, 'act_cfg': dict(type='GELU')}),
        ),
        decoder=dict(
            num_layers=count,
            return_intermediate=True,
            layer_cfg=dict(self_attn_cfg=attention, cross_attn_cfg=deformable, ffn_cfg=ffn),
            post_norm_cfg=None,
        ),
        bbox_head=dict(
            type='DINOHead',
            num_classes=CLASSES,
            embed_dims=WIDTH,
            sync_cls_avg_factor=True,
            loss_cls=dict(type='effnet_dense.VarifocalLoss'),
            loss_bbox=dict(type='L1Loss', loss_weight=5.0),
            loss_iou=dict(type='GIoULoss', loss_weight=2.0),
        ),
        dn_cfg=dict(group_cfg=dict(dynamic=True, num_groups=None, num_dn_queries=8)),
        train_cfg=dict(
            assigner=dict(
                type='HungarianAssigner',
                match_costs=[
                    dict(type='FocalLossCost', weight=2.0),
                    dict(type='BBoxL1Cost', weight=5.0, box_format='xywh'),
                    dict(type='IoUCost', iou_mode='giou', weight=2.0),
                ],
            )
        ),
        test_cfg=dict(max_per_img=QUERIES),
    )


def detector(count: int) -> Any:
    """Build ours, in evaluation."""
    init_default_scope('mmdet')
    model = MODELS.build(layers(count))
    fill(model)
    return model.eval()


def features() -> list[Tensor]:
    """Two images' features at strides 8, 16 and 32."""
    found = []
    for level, channels in enumerate(CHANNELS):
        stride = 8 * 2**level
        values = torch.empty(2, channels, SIZE[0] // stride, SIZE[1] // stride)
        wave(values, level, 1.0)
        found.append(values.requires_grad_())
    return found


def samples() -> list[DetDataSample]:
    """The two images' objects."""
    found = []
    for boxes, labels in zip(BOXES, LABELS, strict=True):
        sample = DetDataSample(metainfo=dict(img_shape=SIZE, batch_input_shape=SIZE))
        objects = dict(bboxes=torch.tensor(boxes), labels=torch.tensor(labels))
        sample.gt_instances = InstanceData(**objects)
        found.append(sample)
    return found


RENAMED = (
    (r'neck\.inputs\.(\d)\.conv', r'model.encoder_input_proj.\1.0'),
    (r'neck\.inputs\.(\d)\.bn', r'model.encoder_input_proj.\1.1'),
    (r'neck\.outputs\.(\d)\.conv', r'model.decoder_input_proj.\1.0'),
    (r'neck\.outputs\.(\d)\.bn', r'model.decoder_input_proj.\1.1'),
    (r'neck\.attention\.', r'model.encoder.aifi.0.layers.'),
    (r'neck\.laterals', 'model.encoder.lateral_convs'),
    (r'neck\.downs', 'model.encoder.downsample_convs'),
    (r'neck\.top_down', 'model.encoder.fpn_blocks'),
    (r'neck\.bottom_up', 'model.encoder.pan_blocks'),
    (r'\.main\.', '.conv1.'),
    (r'\.short\.', '.conv2.'),
    (r'\.out\.', '.conv3.'),
    (r'\.blocks\.(\d)\.wide', r'.bottlenecks.\1.conv1'),
    (r'\.blocks\.(\d)\.point', r'.bottlenecks.\1.conv2'),
    (r'\.bn\.', '.norm.'),
    (r'memory_trans_fc', 'model.enc_output.0'),
    (r'memory_trans_norm', 'model.enc_output.1'),
    (r'decoder\.ref_point_head', 'model.decoder.query_pos_head'),
    (r'^decoder\.layers', 'model.decoder.layers'),
    (r'cross_attn', 'encoder_attn'),
    (r'\.ffn\.layers\.0\.0', '.mlp.fc1'),
    (r'\.ffn\.layers\.1', '.mlp.fc2'),
    (r'self_attn\.attn\.out_proj', 'self_attn.o_proj'),
    (r'(aifi.*)\.norms\.0', r'\1.self_attn_layer_norm'),
    (r'(aifi.*)\.norms\.1', r'\1.final_layer_norm'),
    (r'\.norms\.0', '.self_attn_layer_norm'),
    (r'\.norms\.1', '.encoder_attn_layer_norm'),
    (r'\.norms\.2', '.final_layer_norm'),
)


def renamed(name: str, values: Tensor, count: int) -> Iterator[tuple[str, Tensor]]:
    """Yield transformers' names of a tensor of ours, with the parts that are theirs."""
    if match := re.match(r'bbox_head\.(cls|reg)_branches\.(\d)\.(.*)', name):
        kind, level, rest = match.groups()
        number, _, leaf = rest.rpartition('.')
        layer = f'layers.{int(number) // 2}.' if kind == 'reg' else ''
        if int(level) == count:
            first = 'model.enc_score_head.' if kind == 'cls' else 'model.enc_bbox_head.'
        else:
            part = 'class_embed' if kind == 'cls' else 'bbox_embed'
            first = f'model.decoder.{part}.{level}.'
        yield f'{first}{layer}{leaf}', values
        return
    new = name
    for pattern, text in RENAMED:
        new = re.sub(pattern, text, new)
    if match := re.match(r'(.*self_attn)\.attn\.in_proj_(weight|bias)', new):
        for part, value in zip('qkv', values.chunk(3), strict=True):
            yield f'{match[1]}.{part}_proj.{match[2]}', value
    else:
        yield new, values


class Given(nn.Module):
    """A backbone that returns given features."""

    def __init__(self, features: list[Tensor]) -> None:
        super().__init__()
        self.features = features

    def forward(self, pixels: Tensor, mask: Tensor) -> list[tuple[Tensor, None]]:
        """Return each level with its mask, which transformers does not use."""
        return [(feature, None) for feature in self.features]


def peer(count: int) -> Any:
    """Build transformers' model with the weights of ours; needs transformers."""
    from transformers import RTDetrConfig, RTDetrForObjectDetection, RTDetrResNetConfig

    backbone = RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, *CHANNELS], depths=[1] * 4, layer_type='basic',
        out_features=['stage2', 'stage3', 'stage4'],
    )  # fmt: skip
    config = RTDetrConfig(
        backbone_config=backbone,
        num_labels=CLASSES,
        num_queries=QUERIES,
        num_denoising=0,
        d_model=WIDTH,
        encoder_hidden_dim=WIDTH,
        encoder_in_channels=list(CHANNELS),
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        num_attention_heads=HEADS,
        decoder_attention_heads=HEADS,
        decoder_in_channels=[WIDTH] * 3,
        decoder_layers=count,
        hidden_expansion=0.5,
    )
    model = RTDetrForObjectDetection(config)
    given = {}
    for name, values in detector(count).state_dict().items():
        if not name.startswith(('backbone', 'dn_query_generator')):
            given.update(renamed(name, values, count))
    missing, unexpected = model.load_state_dict(given, strict=False)
    left = [name for name in missing if 'backbone' not in name and '_embed.' not in name]
    if left or unexpected:
        raise ValueError(f'missing {left}, unexpected {unexpected}')
    return model.eval()


def run_peer(count: int) -> dict[str, Any]:
    """Compute outputs, losses and gradients of transformers' model."""
    model = peer(count)
    given = features()
    model.model.backbone = Given(given)
    labels = []
    scale = torch.tensor([SIZE[1], SIZE[0]] * 2)
    for boxes, classes in zip(BOXES, LABELS, strict=True):
        box = torch.tensor(boxes)
        centre = torch.cat([(box[:, :2] + box[:, 2:]) / 2, box[:, 2:] - box[:, :2]], 1) / scale
        labels.append(dict(class_labels=torch.tensor(classes), boxes=centre))
    out = model(torch.zeros(2, 3, *SIZE), labels=labels)
    out.loss.backward()
    gradients = [feature.grad.double() for feature in given]
    return dict(
        logits=out.logits.tolist(),
        boxes=out.pred_boxes.tolist(),
        losses={name: float(value) for name, value in out.loss_dict.items()},
        gradients=[[float(g.sum()), float(g.abs().sum())] for g in gradients],
        gradient=gradients[-1].flatten().tolist(),
    )


if __name__ == '__main__':
    found = {f'{count} layers': run_peer(count) for count in (1, 2)}
    FILE.write_text(json.dumps(found, indent=1) + '\n', encoding='utf-8')
