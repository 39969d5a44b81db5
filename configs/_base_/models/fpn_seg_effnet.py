# Semantic FPN (arXiv 1901.02446, section 3) on C2–C5 of EfficientNet-B0, strides 4–32.
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
        arch='b0',
        out_indices=(2, 3, 4, 5),
        padding='same',
        drop_path_rate=0.2,
        norm_cfg=dict(type='SyncBN', requires_grad=True, eps=1e-3, momentum=0.01),
        init_cfg=dict(type='Pretrained', checkpoint='timm://tf_efficientnet_b0.ns_jft_in1k'),
    ),
    neck=dict(type='FPN', in_channels=[24, 40, 112, 320], out_channels=256, num_outs=4),
    decode_head=dict(
        type='FPNHead',
        in_channels=[256, 256, 256, 256],
        in_index=[0, 1, 2, 3],
        feature_strides=[4, 8, 16, 32],
        channels=128,
        num_classes=150,
        dropout_ratio=0.1,
        align_corners=False,
        norm_cfg=norm_cfg,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
