# DeepLabV3+ (arXiv 1802.02611) on EfficientNet-B3, as mmseg's deeplabv3plus_r50-d8 but at output
# stride 16, not 8, which would take three times the computation. The rates of the pyramid are those
# of the paper for 16.
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
        # Sides that halve evenly, as those of the crops: with SAME padding odd ones shift features.
        test_cfg=dict(size_divisor=32),
    ),
    backbone=dict(
        type='effnet_dense.EfficientNet',
        arch='b3',
        out_indices=(2, 3, 4, 5),
        output_stride=16,
        padding='same',
        drop_path_rate=0.2,
        norm_cfg=dict(type='SyncBN', requires_grad=True, eps=1e-3, momentum=0.01),
        init_cfg=dict(type='Pretrained', checkpoint='timm://tf_efficientnet_b3.aa_in1k'),
    ),
    decode_head=dict(
        type='DepthwiseSeparableASPPHead',
        in_channels=384,
        in_index=3,
        channels=512,
        dilations=(1, 6, 12, 18),
        c1_in_channels=32,
        c1_channels=48,
        dropout_ratio=0.1,
        num_classes=150,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=136,
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
