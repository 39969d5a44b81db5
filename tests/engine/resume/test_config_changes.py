"""Two configs → what a resumed run takes, ignores, and cannot do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effnet_dense.engine.resume.config_changes import MISSING, READ, Change, config_changes

SAVED: dict[str, Any] = dict(
    model=dict(
        type='RetinaNet',
        backbone=dict(
            type='effnet_dense.EfficientNet', arch='b0', norm_cfg=dict(type='BN', momentum=0.1)
        ),
        bbox_head=dict(num_classes=2, loss_cls=dict(type='FocalLoss', gamma=2.0)),
        test_cfg=dict(nms=dict(iou_threshold=0.5)),
    ),
    train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=3),
    optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1)),
    train_dataloader=dict(
        batch_size=2, dataset=dict(pipeline=[dict(type='Load'), dict(type='Resize', scale=[3, 4])])
    ),
    randomness=dict(seed=None, deterministic=False),
    work_dir='a',
    load_from=None,
    image_size=3,
)


def put(config: Any, key: str, value: Any) -> Any:
    """A copy with another value at a dotted key."""
    name, _, rest = key.partition('.')
    if isinstance(config, list):
        place = int(name)
        new = put(config[place], rest, value) if rest else value
        return [*config[:place], new, *config[place + 1 :]]
    return {**config, name: put(config.get(name, {}), rest, value) if rest else value}


@pytest.mark.parametrize(
    ('key', 'value', 'verdict'),
    [
        ('model.type', 'FCOS', 'refused'),
        ('model.backbone.arch', 'b1', 'refused'),
        ('model.backbone.arch', dict(base='b1'), 'refused'),
        ('model.backbone.padding', 'symmetric', 'refused'),
        ('model.backbone.norm_cfg.type', 'GN', 'refused'),
        ('model.backbone.norm_cfg.type', ['BN'], 'refused'),
        ('model.bbox_head.num_classes', 3, 'refused'),
        ('train_cfg.type', 'IterBasedTrainLoop', 'refused'),
        ('optim_wrapper.optimizer.type', 'AdamW', 'refused'),
        ('model.backbone.norm_cfg.type', 'SyncBN', 'taken'),
        ('model.backbone.norm_cfg.momentum', 0.2, 'taken'),
        ('model.backbone.drop_path_rate', 0.2, 'taken'),
        ('model.backbone.frozen_stages', 2, 'taken'),
        ('model.bbox_head.loss_cls.gamma', 1.0, 'taken'),
        ('model.bbox_head.loss_cls', dict(type='CrossEntropyLoss'), 'taken'),
        ('model.test_cfg.nms.iou_threshold', 0.6, 'taken'),
        ('model.data_preprocessor', dict(mean=[0.0]), 'taken'),
        ('train_cfg.max_epochs', 4, 'taken'),
        ('train_dataloader.batch_size', 4, 'taken'),
        ('train_dataloader.dataset.pipeline.1.scale', [3, 5], 'taken'),
        ('train_dataloader.dataset.pipeline', [dict(type='Load')], 'taken'),
        ('optim_wrapper.type', 'AmpOptimWrapper', 'taken'),
        ('optim_wrapper.clip_grad', dict(max_norm=1.0), 'taken'),
        ('custom_hooks', [dict(type='EMAHook')], 'taken'),
        ('randomness.deterministic', True, 'taken'),
        ('randomness.seed', 4, 'ignored'),
        ('model.backbone.init_cfg', dict(type='Pretrained'), 'ignored'),
        ('model.pretrained', 'a', 'ignored'),
        ('auto_scale_lr', dict(enable=True), 'ignored'),
        ('auto_scale_lr.enable', True, 'ignored'),
        # Found in the states of optimizer and schedules, or changing nothing in a training.
        ('optim_wrapper.optimizer.lr', 0.2, None),
        ('optim_wrapper.paramwise_cfg', dict(bias_lr_mult=2), None),
        ('param_scheduler', [dict(type='LinearLR')], None),
        ('train_cfg.type', 'effnet_dense.EpochBasedTrainLoop', None),
        ('train_cfg', dict(by_epoch=True, max_epochs=3), None),
        ('randomness.seed', 7, None),  # the seed that was drawn
        ('work_dir', 'b', None),
        ('load_from', 'b', None),
        ('image_size', 4, None),
        ('custom_hooks', [], None),
        ('optim_wrapper.clip_grad', None, None),
    ],
)
def test_one_change(key: str, value: Any, verdict: str | None) -> None:
    changes = config_changes(SAVED, put(SAVED, key, value), seed=7)
    assert {change.verdict for change in changes} == ({verdict} - {None})
    assert all(f'{c.key}.'.startswith(key) or key.startswith(c.key) for c in changes)
    back = config_changes(put(SAVED, key, value), SAVED, seed=7)
    if not key.startswith('randomness.seed'):
        assert {change.verdict for change in back} == ({verdict} - {None})


@pytest.mark.parametrize(
    ('old', 'new', 'text'),
    [
        (1, 2, 'k: 2 here, 1 in the checkpoint'),
        (MISSING, 'x', "k: 'x' here, nothing in the checkpoint"),
        (
            dict(type='A', b=1),
            dict(type='B'),
            "k: dict(type='B') here, dict(type='A', …) in the checkpoint",
        ),
        ([dict(type='A')], [], 'k: [] here, [A] in the checkpoint'),
        ([1] * 100, None, f'k: None here, {str([1] * 100)[:57]}… in the checkpoint'),
    ],
)
def test_a_change_is_shown_in_one_line(old: Any, new: Any, text: str) -> None:
    assert str(Change('k', old, new, 'taken')) == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.text(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(['type', 'a', 'b']), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
@given(*[st.dictionaries(st.sampled_from(READ), JSON)] * 2)
def test_any_two_configs_are_compared(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert config_changes(one, one) == []
    for change in config_changes(one, other):
        assert '\n' not in str(change) and len(str(change)) < 400
