# UPerNet (arXiv 1807.10221) on EfficientNet-B5, as mmseg's upernet_r50, with an FCN on C4 as
# auxiliary head.
norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size=(512, 512),
        # Sides that halve evenly, as the crops' do: with SAME padding odd sides shift features.
        test_cfg=dict(size_divisor=32),
    ),
    backbone=dict(
        type='effnet_dense.EfficientNet',
        arch='b5',
        out_indices=(2, 3, 4, 5),
        padding='same',
        drop_path_rate=0.2,
        norm_cfg=dict(type='SyncBN', requires_grad=True, eps=1e-3, momentum=0.01),
        init_cfg=dict(type='Pretrained', checkpoint='timm://tf_efficientnet_b5.ns_jft_in1k'),
    ),
    decode_head=dict(
        type='UPerHead',
        in_channels=[40, 64, 176, 512],
        in_index=[0, 1, 2, 3],
        pool_scales=(1, 2, 3, 6),
        channels=512,
        dropout_ratio=0.1,
        num_classes=150,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=176,
        in_index=2,
        channels=256,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=150,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True, loss_weight=0.4),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
