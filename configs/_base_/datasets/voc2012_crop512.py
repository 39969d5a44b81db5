# Pascal VOC 2012 (20 classes and background) with the 9,118 further label maps of SBD (Hariharan
# et al., 2011): scale jitter 0.5–2, 512 × 512 crops; 4 images per GPU.
# data_root is the unpacked VOCtrainval_11-May-2012.tar; mmseg's tools/dataset_converters/voc_aug.py
# converts SBD's benchmark.tgz to SegmentationClassAug and aug.txt, the images not in train.txt:
#   JPEGImages/*.jpg, SegmentationClass/*.png, SegmentationClassAug/*.png,
#   ImageSets/Segmentation/{train,aug,val}.txt
# PNGs with a palette are read as indices: 0 background, 1…20 classes, 255 borders and void.
dataset_type = 'PascalVOCDataset'
data_root = 'data/VOCdevkit/VOC2012'
backend_args = None
crop_size = (512, 512)

train_pipeline = [
    dict(type='effnet_dense.LoadImageFromFile', backend_args=backend_args),
    dict(type='LoadAnnotations', backend_args=backend_args),
    dict(type='RandomResize', scale=(2048, 512), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
# Annotations are loaded after Resize: predictions are evaluated at the original image size.
test_pipeline = [
    dict(type='effnet_dense.LoadImageFromFile', backend_args=backend_args),
    dict(type='Resize', scale=(2048, 512), keep_ratio=True),
    dict(type='LoadAnnotations', backend_args=backend_args),
    dict(type='PackSegInputs'),
]
# 0.5 to 1.75 times the scale above. (In mmseg 1.2 they multiply the original image size.)
tta_pipeline = [
    dict(type='effnet_dense.LoadImageFromFile', backend_args=backend_args),
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='Resize', scale=(1024, 256), keep_ratio=True),
                dict(type='Resize', scale=(1536, 384), keep_ratio=True),
                dict(type='Resize', scale=(2048, 512), keep_ratio=True),
                dict(type='Resize', scale=(2560, 640), keep_ratio=True),
                dict(type='Resize', scale=(3072, 768), keep_ratio=True),
                dict(type='Resize', scale=(3584, 896), keep_ratio=True),
            ],
            [dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0)],
            [dict(type='LoadAnnotations', backend_args=backend_args)],
            [dict(type='PackSegInputs')],
        ],
    ),
]
dataset_train = dict(
    type=dataset_type,
    data_root=data_root,
    ann_file='ImageSets/Segmentation/train.txt',
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
    pipeline=train_pipeline,
    backend_args=backend_args,
)
dataset_aug = dict(
    type=dataset_type,
    data_root=data_root,
    ann_file='ImageSets/Segmentation/aug.txt',
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug'),
    pipeline=train_pipeline,
    backend_args=backend_args,
)
train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(type='ConcatDataset', datasets=[dataset_train, dataset_aug]),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/val.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        test_mode=True,
        pipeline=test_pipeline,
        backend_args=backend_args,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
