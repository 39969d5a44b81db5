"""BiFPN on EfficientNet-B3, prediction from P2: ADE20K, 512 px crops, 80,000 steps.

Command:  bash tools/dist_train.sh configs/effnet_b3_bifpn_ade20k.py 4
Hardware: 4 GPUs × 4 images; for n GPUs add --auto-scale-lr.
Expected: not measured.
Source:   EfficientDet's model for segmentation (arXiv 1911.09070, section 5.3) with a smaller
          backbone, with the crops and steps of mmseg's *_4xb4-80k_ade20k-512x512. Not trained here.
"""

_base_ = [
    './_base_/models/bifpn_seg_effnet.py',
    './_base_/datasets/ade20k_crop512.py',
    './_base_/schedules/adamw_80k.py',
    './_base_/segmentation_runtime.py',
]

model = dict(
    backbone=dict(arch='b3', init_cfg=dict(checkpoint='timm://tf_efficientnet_b3.ns_jft_in1k')),
    neck=dict(in_channels=[32, 48, 136, 384]),
)
