"""EfficientDet for segmentation (arXiv 1911.09070, section 5.3): Pascal VOC 2012, 40,000 steps.

D4's backbone, levels P2–P7, a BiFPN of 128 channels and 3 cells, a head of 256 channels and 3
convolutions, prediction from P2.

Command:  bash tools/dist_train.sh configs/efficientdet_d4_seg_voc2012.py 4
Hardware: 4 GPUs × 4 images; for n GPUs add --auto-scale-lr.
Expected: 81.74 mIoU on val, full images at one scale.
Source:   published in the paper for this network, without its recipe; data, crops and steps are
          those of mmseg's *_4xb4-40k_voc12aug-512x512. Not trained here.
"""

_base_ = [
    './_base_/models/bifpn_seg_effnet.py',
    './_base_/datasets/voc2012_crop512.py',
    './_base_/schedules/adamw_80k.py',
    './_base_/segmentation_runtime.py',
]

model = dict(
    backbone=dict(arch='b4', init_cfg=dict(checkpoint='timm://tf_efficientnet_b4.aa_in1k')),
    neck=dict(in_channels=[32, 56, 160, 448], out_channels=128, num_cells=3, num_outs=6),
    decode_head=dict(num_classes=21, in_channels=128, channels=256, num_convs=3),
)
# 40,000 steps: VOC has half as many images as ADE20K, and larger objects.
train_cfg = dict(max_iters=40000, val_interval=4000)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type='PolyLR', eta_min=0.0, power=1.0, begin=1500, end=40000, by_epoch=False),
]
