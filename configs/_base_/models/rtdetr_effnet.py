# RT-DETR-R50's encoder and decoder (arXiv 2304.08069), on C3–C5 of EfficientNet-B0.
norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    type='effnet_dense.RTDETR',
    num_queries=300,
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        batch_augments=[
            dict(
                type='BatchSyncRandomResize',
                random_size_range=(480, 800),
                interval=1,
                size_divisor=32,
            )
        ],
    ),
    backbone=dict(
        type='effnet_dense.EfficientNet',
        arch='b0',
        out_indices=(3, 4, 5),
        padding='same',
        drop_path_rate=0.2,
        norm_cfg=dict(type='BN', requires_grad=True, eps=1e-3, momentum=0.01),
        norm_eval=True,  # four images per GPU are too few for statistics
        init_cfg=dict(type='Pretrained', checkpoint='timm://tf_efficientnet_b0.ns_jft_in1k'),
    ),
    neck=dict(
        type='effnet_dense.HybridEncoder',
        in_channels=[40, 112, 320],
        out_channels=256,
        num_layers=1,
        layer_cfg=dict(
            self_attn_cfg=dict(embed_dims=256, num_heads=8, dropout=0.0),
            ffn_cfg=dict(
                embed_dims=256,
                feedforward_channels=1024,
                ffn_drop=0.0,
                act_cfg=dict(type='GELU'),
            ),
        ),
        expansion=1.0,
        norm_cfg=norm_cfg,
        act_cfg=dict(type='SiLU', inplace=True),
    ),
    decoder=dict(
        num_layers=6,
        return_intermediate=True,
        layer_cfg=dict(
            self_attn_cfg=dict(embed_dims=256, num_heads=8, dropout=0.0),
            cross_attn_cfg=dict(embed_dims=256, num_levels=3, dropout=0.0),
            ffn_cfg=dict(embed_dims=256, feedforward_channels=1024, ffn_drop=0.0),
        ),
        post_norm_cfg=None,
    ),
    bbox_head=dict(
        type='DINOHead',
        num_classes=80,
        sync_cls_avg_factor=True,
        loss_cls=dict(type='effnet_dense.VarifocalLoss', alpha=0.75, gamma=2.0, loss_weight=1.0),
        loss_bbox=dict(type='L1Loss', loss_weight=5.0),
        loss_iou=dict(type='GIoULoss', loss_weight=2.0),
    ),
    dn_cfg=dict(
        label_noise_scale=0.5,
        box_noise_scale=1.0,
        group_cfg=dict(dynamic=True, num_groups=None, num_dn_queries=100),
    ),
    train_cfg=dict(
        assigner=dict(
            type='HungarianAssigner',
            match_costs=[
                dict(type='FocalLossCost', weight=2.0),
                dict(type='BBoxL1Cost', weight=5.0, box_format='xywh'),
                dict(type='IoUCost', iou_mode='giou', weight=2.0),
            ],
        )
    ),
    test_cfg=dict(max_per_img=300),
)
