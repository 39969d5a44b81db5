"""Semantic FPN on EfficientNet-B3: ADE20K, 512 px crops, 80,000 steps.

Command:  bash tools/dist_train.sh configs/effnet_b3_fpn_ade20k.py 4
Hardware: 4 GPUs × 4 images; for n GPUs add --auto-scale-lr.
Expected: not measured.
Source:   mmseg's fpn_r50_4xb4-160k_ade20k-512x512 with another backbone and half the steps. Not
          trained here.
"""

_base_ = [
    './_base_/models/fpn_seg_effnet.py',
    './_base_/datasets/ade20k_crop512.py',
    './_base_/schedules/sgd_80k.py',
    './_base_/segmentation_runtime.py',
]

model = dict(
    backbone=dict(arch='b3', init_cfg=dict(checkpoint='timm://tf_efficientnet_b3.ns_jft_in1k')),
    neck=dict(in_channels=[32, 48, 136, 384]),
)
