"""RT-DETR on EfficientNet-B3: COCO, 640 px, 72 epochs.

Command:  bash tools/dist_train.sh configs/effnet_b3_rtdetr_coco.py 4
Hardware: 4 GPUs × 4 images; for n GPUs add --auto-scale-lr.
Expected: not measured.
Source:   encoder, decoder and recipe of RT-DETR-R50 (arXiv 2304.08069; 53.1 AP with ResNet-50-D).
          The backbone's norms keep ImageNet's statistics, but learn. No published figure for this
          pair; not trained here.
"""

_base_ = [
    './_base_/models/rtdetr_effnet.py',
    './_base_/datasets/coco_stretched640.py',
    './_base_/schedules/adamw_detr_6x.py',
    './_base_/default_runtime.py',
]

model = dict(
    backbone=dict(arch='b3', init_cfg=dict(checkpoint='timm://tf_efficientnet_b3.ns_jft_in1k')),
    neck=dict(in_channels=[48, 136, 384]),
)
custom_hooks = [
    dict(
        type='EMAHook',
        ema_type='ExpMomentumEMA',
        momentum=0.0001,
        update_buffers=True,
        priority=49,
    ),
]
