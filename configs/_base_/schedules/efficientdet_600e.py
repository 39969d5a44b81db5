# 600 epochs of SGD with 64 images per step: one of warm-up, then cosine to zero; averaged weights.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=600, val_interval=10)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.1,
        by_epoch=True,
        begin=0,
        end=1,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        eta_min=0.0,
        by_epoch=True,
        begin=1,
        end=600,
        T_max=599,
        convert_to_iter_based=True,
    ),
]
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.08, momentum=0.9, weight_decay=4e-5),
    # Only kernels decay: biases, norms and fusion weights have one dimension.
    paramwise_cfg=dict(flat_decay_mult=0),
    clip_grad=dict(max_norm=10.0),
)
custom_hooks = [
    dict(type='EMAHook', ema_type='ExpMomentumEMA', momentum=0.0002, update_buffers=True)
]
auto_scale_lr = dict(enable=False, base_batch_size=64)
