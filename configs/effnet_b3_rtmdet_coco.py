"""RTMDet on EfficientNet-B3 and BiFPN: COCO, 640 px, 300 epochs.

Command:  bash tools/dist_train.sh configs/effnet_b3_rtmdet_coco.py 8
Hardware: 8 GPUs × 32 images; for n GPUs add --auto-scale-lr.
Expected: not measured.
Source:   head of mmdet's RTMDet-m, which predicts logarithms of distances, with D3's BiFPN; the
          recipe of RTMDet-s. No published figure for this pair; not trained here.
"""

_base_ = [
    './_base_/models/rtmdet_effnet_bifpn.py',
    './_base_/datasets/coco_mosaic640.py',
    './_base_/schedules/rtmdet_300e.py',
    './_base_/default_runtime.py',
]

model = dict(
    backbone=dict(arch='b3', init_cfg=dict(checkpoint='timm://tf_efficientnet_b3.ns_jft_in1k')),
    # Sizes of D3.
    neck=dict(in_channels=[48, 136, 384], out_channels=160, num_cells=6),
    bbox_head=dict(in_channels=160, feat_channels=160, exp_on_reg=True),
)
custom_hooks = [
    dict(
        type='EMAHook',
        ema_type='ExpMomentumEMA',
        momentum=0.0002,
        update_buffers=True,
        priority=49,
    ),
    dict(
        type='PipelineSwitchHook',
        switch_epoch=280,
        switch_pipeline={{_base_.last_pipeline}},
    ),
]
env_cfg = dict(cudnn_benchmark=True)  # all images have the same size
