# EfficientDet's segmentation model (arXiv 1911.09070, section 5.3): P2–P7, prediction from P2.
norm_cfg = dict(type='SyncBN', requires_grad=True, eps=1e-3, momentum=0.01)
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
        norm_cfg=norm_cfg,
        init_cfg=dict(type='Pretrained', checkpoint='timm://tf_efficientnet_b0.ns_jft_in1k'),
    ),
    neck=dict(
        type='effnet_dense.BiFPN',
        in_channels=[24, 40, 112, 320],
        out_channels=128,
        num_outs=6,
        num_cells=3,
        norm_cfg=norm_cfg,
    ),
    decode_head=dict(
        type='effnet_dense.BiFPNSegHead',
        in_channels=128,
        channels=256,
        num_convs=3,
        in_index=0,
        num_classes=150,
        dropout_ratio=0.1,
        align_corners=False,
        norm_cfg=norm_cfg,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
