"""BiFPN on EfficientNet-B3, prediction from P2: Cityscapes, 512 × 1024 px crops, 80,000 steps.

Command:  bash tools/dist_train.sh configs/effnet_b3_bifpn_cityscapes.py 4
          Tests full images; for sliding windows add --cfg-options model.test_cfg.mode=slide.
Hardware: 4 GPUs × 4 images; for n GPUs add --auto-scale-lr.
Expected: not measured.
Source:   EfficientDet's model for segmentation (arXiv 1911.09070, section 5.3) with a smaller
          backbone, with the crops and steps of mmseg's *_4xb2-80k_cityscapes-512x1024 and twice
          the images per step. Not trained here.
"""

_base_ = [
    './_base_/models/bifpn_seg_effnet.py',
    './_base_/datasets/cityscapes_crop512x1024.py',
    './_base_/schedules/adamw_80k.py',
    './_base_/segmentation_runtime.py',
]

model = dict(
    data_preprocessor=dict(size=(512, 1024)),
    backbone=dict(arch='b3', init_cfg=dict(checkpoint='timm://tf_efficientnet_b3.ns_jft_in1k')),
    neck=dict(in_channels=[32, 48, 136, 384]),
    decode_head=dict(num_classes=19),
    test_cfg=dict(mode='whole', crop_size=(512, 1024), stride=(341, 683)),
)
