# EfficientDet (arXiv 1911.09070) as released; leaves set the sizes of scaling.DETECTORS.
norm_cfg = dict(type='SyncBN', requires_grad=True, eps=1e-3, momentum=0.01)
model = dict(
    type='RetinaNet',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='effnet_dense.EfficientNet',
        out_indices=(3, 4, 5),
        padding='same',
        drop_path_rate=0.2,
        norm_cfg=norm_cfg,
    ),
    neck=dict(
        type='effnet_dense.BiFPN',
        padding='same',
        conv_bias=True,  # without effect before a norm, but released weights have it
        norm_cfg=norm_cfg,
        act_cfg=dict(type='SiLU', inplace=True),
    ),
    bbox_head=dict(
        type='effnet_dense.EfficientDetHead',
        num_classes=80,
        conv_bias=True,
        norm_cfg=norm_cfg,
        act_cfg=dict(type='SiLU', inplace=True),
        anchor_generator=dict(type='effnet_dense.EfficientDetAnchorGenerator'),
        bbox_coder=dict(
            type='DeltaXYWHBBoxCoder',
            target_means=[0.0, 0.0, 0.0, 0.0],
            target_stds=[1.0, 1.0, 1.0, 1.0],
        ),
        loss_cls=dict(type='effnet_dense.FocalLoss', use_sigmoid=True, gamma=1.5, alpha=0.25),
        loss_bbox=dict(type='effnet_dense.HuberLoss', delta=0.1, loss_weight=50.0),
    ),
    train_cfg=dict(assigner=dict(type='effnet_dense.ArgMaxAssigner', iou_threshold=0.5)),
    test_cfg=dict(
        nms_pre=5000,
        score_thr=0.0,
        nms=dict(type='soft_nms', method='gaussian', sigma=0.5, min_score=0.001),
        max_per_img=100,
    ),
)
