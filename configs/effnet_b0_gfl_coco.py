"""Generalized Focal Loss on EfficientNet-B0 and BiFPN: COCO, 640 px crops, 12 epochs.

Command:  bash tools/dist_train.sh configs/effnet_b0_gfl_coco.py 8
Hardware: 8 GPUs × 4 images; for n GPUs add --auto-scale-lr.
Expected: not measured.
Source:   mmdet's GFL with half as many channels, and its 1x schedule (lr 0.01 for 16 images per
          step, so 0.02 for 32). No published figure for this pair; not trained here.
"""

_base_ = [
    './_base_/models/gfl_effnet_bifpn.py',
    './_base_/datasets/coco_crop640.py',
    './_base_/schedules/sgd_1x.py',
    './_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(batch_augments=[dict(type='BatchFixedSizePad', size=(640, 640))]),
)
optim_wrapper = dict(optimizer=dict(lr=0.02))
env_cfg = dict(cudnn_benchmark=True)  # all crops have the same size
