"""Mask R-CNN on EfficientNet-Lite0 for small data sets of one's own, with objects pasted in.

Command:  python tools/train.py configs/effnet_lite0_mask_rcnn_copypaste_finetune.py --data DIR
Hardware: one GPU, or two CPU cores; 8 images a step.
Expected: depends on the data; pasting helps where there are few objects of a class.
Source:   an example: effnet_lite0_mask_rcnn_finetune with simple copy-paste (arXiv 2012.07177).
"""

_base_ = './effnet_lite0_mask_rcnn_finetune.py'
image_size = (320, 320)

train_dataloader = dict(
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
                dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
                dict(
                    type='RandomResize', scale=image_size, ratio_range=(0.5, 1.5), keep_ratio=True
                ),
                dict(type='RandomCrop', crop_size=image_size),
                dict(type='RandomFlip', prob=0.5),
                # Pasting needs pictures of one size.
                dict(type='Pad', size=image_size, pad_val=dict(img=(114, 114, 114))),
            ],
        ),
        pipeline=[
            dict(type='CopyPaste', max_num_pasted=10),
            dict(type='PackDetInputs'),
        ],
    ),
)
