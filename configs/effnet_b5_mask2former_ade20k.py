"""Mask2Former on EfficientNet-B5: ADE20K, 512 px crops, 160,000 steps.

Command:  bash tools/dist_train.sh configs/effnet_b5_mask2former_ade20k.py 4
Hardware: 4 GPUs × 4 images; for n GPUs add --auto-scale-lr.
Expected: not measured.
Source:   head and recipe of mmseg's mask2former_r50_8xb2-160k_ade20k-512x512 (mIoU 47.9 with
          ResNet-50), with this project's scale jitter. No published figure for this pair; not
          trained here.
"""

_base_ = [
    './_base_/models/mask2former_seg_effnet.py',
    './_base_/datasets/ade20k_crop512.py',
    './_base_/schedules/mask2former_160k.py',
    './_base_/segmentation_runtime.py',
]
