"""Panoptic FPN on EfficientNet-B3: COCO panoptic, 640 px crops, 12 epochs.

Command:  bash tools/dist_train.sh configs/effnet_b3_panoptic_fpn_coco.py 8
Hardware: 8 GPUs × 4 images; for n GPUs add --auto-scale-lr.
Expected: not measured.
Source:   mmdet's Panoptic FPN with its 1x schedule (lr 0.02 for 16 images per step, so 0.04
          for 32). No published figure for this pair; not trained here.
"""

_base_ = [
    './_base_/models/panoptic_fpn_effnet.py',
    './_base_/datasets/coco_panoptic_crop640.py',
    './_base_/schedules/sgd_1x.py',
    './_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(
        batch_augments=[
            dict(
                type='BatchFixedSizePad',
                size=(640, 640),
                pad_mask=True,
                pad_seg=True,
                seg_pad_value=255,
            )
        ]
    ),
    backbone=dict(arch='b3', init_cfg=dict(checkpoint='timm://tf_efficientnet_b3.ns_jft_in1k')),
    neck=dict(in_channels=[32, 48, 136, 384]),
)
visualizer = dict(type='effnet_dense.PanopticVisualizer')
env_cfg = dict(cudnn_benchmark=True)  # all crops have the same size
