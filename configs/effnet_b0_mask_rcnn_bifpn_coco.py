"""Mask R-CNN on EfficientNet-B0 and BiFPN: COCO, 640 px crops, 12 epochs.

Command:  bash tools/dist_train.sh configs/effnet_b0_mask_rcnn_bifpn_coco.py 8
Hardware: 8 GPUs × 4 images; for n GPUs add --auto-scale-lr.
Expected: unknown.
Source:   untrained; no published figure for this pair. mmdet's Mask R-CNN, its 1x schedule
          (0.02 for 16 images a step, so 0.04 for 32).
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
    # D0's cells, as wide as D2's: masks are read from P2, where 64 channels are few.
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
env_cfg = dict(cudnn_benchmark=True)  # the crops have one size
