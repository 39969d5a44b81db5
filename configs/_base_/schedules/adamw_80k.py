# 80,000 steps of AdamW with 16 images per step (4 GPUs × 4): linear warm-up, then linear to zero.
train_cfg = dict(type='IterBasedTrainLoop', max_iters=80000, val_interval=8000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type='PolyLR', eta_min=0.0, power=1.0, begin=1500, end=80000, by_epoch=False),
]
# The backbone's learning rate and weight decay are those of mmseg's UPerNets on ConvNeXt; neck and
# heads, which start from random weights, learn four times as fast. (mmengine does not apply the
# first two rules to modules that have a custom key, so the pretrained backbone has none.)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.0001, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(
        norm_decay_mult=0,
        bias_decay_mult=0,
        bypass_duplicate=True,
        custom_keys=dict(
            neck=dict(lr_mult=4.0),
            decode_head=dict(lr_mult=4.0),
            auxiliary_head=dict(lr_mult=4.0),
        ),
    ),
)
auto_scale_lr = dict(enable=False, base_batch_size=16)
