"""DeepLabV3+ on EfficientNet-B3 at output stride 16: ADE20K, 512 px crops, 80,000 steps.

Command:  bash tools/dist_train.sh configs/effnet_b3_deeplabv3plus_ade20k.py 4
Hardware: 4 GPUs × 4 images; for n GPUs add --auto-scale-lr.
Expected: not measured.
Source:   mmseg's deeplabv3plus_r50-d8_4xb4-80k_ade20k-512x512 with another backbone, and with the
          paper's stride and rates (6, 12, 18) for training (arXiv 1802.02611). Not trained here.
"""

_base_ = [
    './_base_/models/deeplabv3plus_effnet.py',
    './_base_/datasets/ade20k_crop512.py',
    './_base_/schedules/sgd_80k.py',
    './_base_/segmentation_runtime.py',
]
