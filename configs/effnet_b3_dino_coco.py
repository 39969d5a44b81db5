"""DINO on EfficientNet-B3: COCO, shorter side 480–800 px, 12 epochs.

Command:  bash tools/dist_train.sh configs/effnet_b3_dino_coco.py 8
Hardware: 8 GPUs × 2 images; for n GPUs add --auto-scale-lr.
Expected: not measured.
Source:   mmdet's DINO with four scales and its recipe; the backbone's norms have fixed
          statistics. No published figure for this pair; not trained here.
"""

_base_ = [
    './_base_/models/dino_effnet.py',
    './_base_/datasets/coco_detr800.py',
    './_base_/schedules/adamw_detr_1x.py',
    './_base_/default_runtime.py',
]

model = dict(
    backbone=dict(arch='b3', init_cfg=dict(checkpoint='timm://tf_efficientnet_b3.ns_jft_in1k')),
    neck=dict(in_channels=[48, 136, 384]),
)
