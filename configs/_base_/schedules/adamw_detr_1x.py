# 12 epochs of AdamW with 16 images per step (8 GPUs × 2), the backbone at a tenth of the lr; all
# divided by ten after epoch 11.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=12, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(type='MultiStepLR', begin=0, end=12, by_epoch=True, milestones=[11], gamma=0.1),
]
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.0001, weight_decay=0.0001),
    clip_grad=dict(max_norm=0.1, norm_type=2),
    paramwise_cfg=dict(bypass_duplicate=True, custom_keys=dict(backbone=dict(lr_mult=0.1))),
)
auto_scale_lr = dict(enable=False, base_batch_size=16)
