# 72 epochs of AdamW with 16 images per step (4 GPUs × 4), the backbone at a tenth of the lr, which
# is constant after 2,000 steps of warm-up.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=72, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=2000),
]
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.0001, weight_decay=0.0001),
    clip_grad=dict(max_norm=0.1, norm_type=2),
    paramwise_cfg=dict(
        norm_decay_mult=0,
        bias_decay_mult=0,
        bypass_duplicate=True,
        custom_keys=dict(backbone=dict(lr_mult=0.1)),
    ),
)
auto_scale_lr = dict(enable=False, base_batch_size=16)
