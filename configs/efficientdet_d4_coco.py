"""EfficientDet-D4: COCO, 1024 px, 300 epochs.

Command:  bash tools/dist_train.sh configs/efficientdet_d4_coco.py 8
Hardware: 8 GPUs × 8 images (48 GiB of activations); for n GPUs add --auto-scale-lr.
Expected: 49.3 box AP on val2017, 49.7 on test-dev.
Source:   published by google/automl for this network and recipe. Not trained here.
"""

_base_ = [
    './_base_/models/efficientdet.py',
    './_base_/datasets/coco_efficientdet.py',
    './_base_/schedules/efficientdet_300e.py',
    './_base_/default_runtime.py',
]
image_size = (1024, 1024)

model = dict(
    data_preprocessor=dict(
        pad_size_divisor=1024,
        batch_augments=[dict(type='BatchFixedSizePad', size=image_size)],
    ),
    backbone=dict(
        arch='b4',
        init_cfg=dict(type='Pretrained', checkpoint='timm://tf_efficientnet_b4.aa_in1k'),
    ),
    neck=dict(
        in_channels=[56, 160, 448],
        out_channels=224,
        num_cells=7,
        num_outs=5,
        fusion='fast',
    ),
    bbox_head=dict(
        in_channels=224,
        stacked_convs=4,
        anchor_generator=dict(strides=[8, 16, 32, 64, 128], octave_base_scale=4),
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
