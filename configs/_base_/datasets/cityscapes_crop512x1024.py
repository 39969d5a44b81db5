# Cityscapes (19 classes): scale jitter 0.5–2, 512 × 1024 crops; 4 images per GPU.
# data_root contains leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip from
# https://www.cityscapes-dataset.com, unpacked, and the label maps that cityscapesScripts'
# csCreateTrainIdLabelImgs converts them to:
#   leftImg8bit/{train,val}/CITY/*_leftImg8bit.png
#   gtFine/{train,val}/CITY/*_gtFine_labelTrainIds.png
# Train ids are 0…18, and 255 where nothing is evaluated. (The ids 0…33 of *_labelIds.png differ.)
dataset_type = 'CityscapesDataset'
data_root = 'data/cityscapes'
backend_args = None
crop_size = (512, 1024)

train_pipeline = [
    dict(type='effnet_dense.LoadImageFromFile', backend_args=backend_args),
    dict(type='LoadAnnotations', backend_args=backend_args),
    dict(type='RandomResize', scale=(2048, 1024), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
# Annotations are loaded after Resize: predictions are evaluated at the original image size.
test_pipeline = [
    dict(type='effnet_dense.LoadImageFromFile', backend_args=backend_args),
    dict(type='Resize', scale=(2048, 1024), keep_ratio=True),
    dict(type='LoadAnnotations', backend_args=backend_args),
    dict(type='PackSegInputs'),
]
# 0.5 to 1.75 times the scale above.
tta_pipeline = [
    dict(type='effnet_dense.LoadImageFromFile', backend_args=backend_args),
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='Resize', scale=(1024, 512), keep_ratio=True),
                dict(type='Resize', scale=(1536, 768), keep_ratio=True),
                dict(type='Resize', scale=(2048, 1024), keep_ratio=True),
                dict(type='Resize', scale=(2560, 1280), keep_ratio=True),
                dict(type='Resize', scale=(3072, 1536), keep_ratio=True),
                dict(type='Resize', scale=(3584, 1792), keep_ratio=True),
            ],
            [dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0)],
            [dict(type='LoadAnnotations', backend_args=backend_args)],
            [dict(type='PackSegInputs')],
        ],
    ),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train'),
        pipeline=train_pipeline,
        backend_args=backend_args,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val'),
        test_mode=True,
        pipeline=test_pipeline,
        backend_args=backend_args,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
