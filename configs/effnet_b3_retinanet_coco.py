"""RetinaNet on EfficientNet-B3 and FPN: COCO, 896 px crops, 12 epochs.

Command:  bash tools/dist_train.sh configs/effnet_b3_retinanet_coco.py 8
Hardware: 8 GPUs × 4 images; for n GPUs add --auto-scale-lr.
Expected: 40.5 box AP on val2017.
Source:   published by mmdet for its retinanet_effb3_fpn_8xb4-crop896-1x_coco. This config differs
          in the backbone's BN, padding and drop path, which are those of the weights' release, and
          checks the normalisation against the weights. Not trained here.
"""

_base_ = [
    './_base_/models/retinanet_effnet_fpn.py',
    './_base_/datasets/coco_crop896.py',
    './_base_/schedules/sgd_1x.py',
    './_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(batch_augments=[dict(type='BatchFixedSizePad', size=(896, 896))]),
    backbone=dict(arch='b3', init_cfg=dict(checkpoint='timm://tf_efficientnet_b3.aa_in1k')),
    neck=dict(in_channels=[48, 136, 384]),
)
env_cfg = dict(cudnn_benchmark=True)  # all crops have the same size
