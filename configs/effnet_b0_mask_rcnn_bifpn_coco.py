"""Mask R-CNN on EfficientNet-B0 and BiFPN: COCO, 640 px crops, 12 epochs.

Command:  bash tools/dist_train.sh configs/effnet_b0_mask_rcnn_bifpn_coco.py 8
Hardware: 8 GPUs × 4 images; for n GPUs add --auto-scale-lr.
Expected: not measured.
Source:   mmdet's Mask R-CNN with its 1x schedule (lr 0.02 for 16 images per step, so 0.04
          for 32). No published figure for this pair; not trained here.
"""

_base_ = [
    './_base_/models/mask_rcnn_effnet_fpn.py',
    './_base_/datasets/coco_instance_crop640.py',
    './_base_/schedules/sgd_1x.py',
    './_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(
        batch_augments=[dict(type='BatchFixedSizePad', size=(640, 640), pad_mask=True)]
    ),
    # D0's cells with D2's channels: masks are pooled from P2, for which 64 channels are few.
    neck=dict(
        _delete_=True,
        type='effnet_dense.BiFPN',
        in_channels=[24, 40, 112, 320],
        out_channels=112,
        num_outs=5,
        num_cells=3,
    ),
    rpn_head=dict(in_channels=112, feat_channels=112),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=112),
        bbox_head=dict(in_channels=112),
        mask_roi_extractor=dict(out_channels=112),
        mask_head=dict(in_channels=112),
    ),
)
env_cfg = dict(cudnn_benchmark=True)  # all crops have the same size
