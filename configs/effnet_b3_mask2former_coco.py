"""Mask2Former on EfficientNet-B3: instance segmentation, COCO, 1024 px, 50 epochs.

Command:  bash tools/dist_train.sh configs/effnet_b3_mask2former_coco.py 8
Hardware: 8 GPUs × 2 images; for n GPUs add --auto-scale-lr.
Expected: not measured.
Source:   head and recipe of mmdet's mask2former_r50_8xb2-lsj-50e_coco (mask AP 42.9 with
          ResNet-50), tested at 1024 px. No published figure for this pair; not trained here.
"""

_base_ = [
    './_base_/models/mask2former_effnet.py',
    './_base_/datasets/coco_instance_lsj1024.py',
    './_base_/schedules/mask2former_50e.py',
    './_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(
        batch_augments=[dict(type='BatchFixedSizePad', size=(1024, 1024), pad_mask=True)],
    ),
)
env_cfg = dict(cudnn_benchmark=True)  # all crops have the same size
