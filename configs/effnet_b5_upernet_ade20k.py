"""UPerNet on EfficientNet-B5: ADE20K, 512 px crops, 80,000 steps, tested in sliding windows.

Command:  bash tools/dist_train.sh configs/effnet_b5_upernet_ade20k.py 4
Hardware: 4 GPUs × 4 images; for n GPUs add --auto-scale-lr.
Expected: not measured.
Source:   mmseg's upernet_r50_4xb4-80k_ade20k-512x512 with another backbone, and with AdamW and the
          sliding windows of its UPerNets on ConvNeXt. Not trained here.
"""

_base_ = [
    './_base_/models/upernet_effnet.py',
    './_base_/datasets/ade20k_crop512.py',
    './_base_/schedules/adamw_80k.py',
    './_base_/segmentation_runtime.py',
]

model = dict(test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(341, 341)))
