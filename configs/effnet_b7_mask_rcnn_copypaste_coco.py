"""Mask R-CNN on EfficientNet-B7 and FPN with copy-paste: COCO, 1024 px, 270,000 steps.

Command:  bash tools/dist_train.sh configs/effnet_b7_mask_rcnn_copypaste_coco.py 8
Hardware: 256 images per step, such as 128 GPUs × 2; for n GPUs add --auto-scale-lr. At 1280 px,
          --image-size 1280; both train in the original's 589 epochs of COCO.
Expected: box AP 51.9, mask AP 45.1 on val2017 (640 px: 50.0, 43.7; 1280 px: 52.5, 45.8).
Source:   published by tensorflow/tpu (official/detection/projects/copy_paste,
          maskrcnn_effb7_1024.yaml) for this recipe: jitter, pasting, batch size, learning rate,
          weight decay, heads. Ours differs where mmdet does: no norm in the RPN's convolutions,
          and the backbone starts from ImageNet weights. Not trained here.
"""

_base_ = [
    './_base_/models/mask_rcnn_effnet_fpn.py',
    './_base_/datasets/coco_instance_copypaste1024.py',
    './_base_/schedules/sgd_270k.py',
    './_base_/default_runtime.py',
]
norm_cfg = dict(type='SyncBN', requires_grad=True, eps=1e-4, momentum=0.003)  # of neck and heads

model = dict(
    data_preprocessor=dict(
        batch_augments=[dict(type='BatchFixedSizePad', size=(1024, 1024), pad_mask=True)],
    ),
    backbone=dict(arch='b7', init_cfg=dict(checkpoint='timm://tf_efficientnet_b7.ns_jft_in1k')),
    neck=dict(in_channels=[48, 80, 224, 640], norm_cfg=norm_cfg),
    rpn_head=dict(num_convs=2),
    roi_head=dict(
        bbox_head=dict(
            type='ConvFCBBoxHead',
            num_shared_convs=4,
            num_shared_fcs=2,
            conv_out_channels=256,
            norm_cfg=norm_cfg,
        ),
        mask_head=dict(norm_cfg=norm_cfg),
    ),
)
default_hooks = dict(
    logger=dict(log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=10000),
)
log_processor = dict(by_epoch=False)
env_cfg = dict(cudnn_benchmark=True)  # all images have the same size
