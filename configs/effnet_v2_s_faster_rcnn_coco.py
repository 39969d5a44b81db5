"""Faster R-CNN on EfficientNetV2-S and FPN: COCO, 640 px crops, 12 epochs.

Command:  bash tools/dist_train.sh configs/effnet_v2_s_faster_rcnn_coco.py 8
Hardware: 8 GPUs × 4 images; for n GPUs add --auto-scale-lr.
Expected: not measured.
Source:   mmdet's Faster R-CNN with its 1x schedule (lr 0.02 for 16 images per step, so 0.04
          for 32). No published figure for this pair; not trained here.
"""

_base_ = [
    './_base_/models/faster_rcnn_effnet_fpn.py',
    './_base_/datasets/coco_crop640.py',
    './_base_/schedules/sgd_1x.py',
    './_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        batch_augments=[dict(type='BatchFixedSizePad', size=(640, 640))],
    ),
    backbone=dict(
        arch='v2_s', init_cfg=dict(checkpoint='timm://tf_efficientnetv2_s.in21k_ft_in1k')
    ),
    neck=dict(in_channels=[48, 64, 160, 256]),
)
env_cfg = dict(cudnn_benchmark=True)  # all crops have the same size
