"""Schedules keep their shape in trainings of another length."""

from __future__ import annotations

import copy
from pathlib import Path

import mmdet
import mmseg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config

from effnet_dense.engine.config import shipped_configs
from effnet_dense.engine.config_files import read_config
from effnet_dense.engine.settings.epochs import set_epochs
from effnet_dense.engine.settings.iterations import set_iterations
from tests.helpers.rate_curve import at, rate_curve

STOCK = {
    name: Path(package.__file__).parent / '.mim' / 'configs' / name
    for package, names in (
        (
            mmdet,
            (
                'yolox/yolox_s_8xb8-300e_coco.py',
                'rtmdet/rtmdet_s_8xb32-300e_coco.py',
                'yolo/yolov3_d53_8xb8-320-273e_coco.py',
                'detr/detr_r50_8xb2-150e_coco.py',
                'faster_rcnn/faster-rcnn_r50_fpn_2x_coco.py',
                'yolact/yolact_r50_1xb8-55e_coco.py',
            ),
        ),
        (
            mmseg,
            (
                'fcn/fcn_r50-d8_4xb2-40k_cityscapes-512x1024.py',
                'segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py',
            ),
        ),
    )
    for name in names
}
SHIPPED = (
    'effnet_lite0_retinanet_finetune',
    'effnet_b0_rtmdet_ins_coco',
    'effnet_b3_retinanet_coco',
)
SHARES = (0.3, 0.5, 0.7, 0.8, 0.95)


def base(**entries: object) -> Config:
    """A training of 12 epochs by SGD."""
    loop = dict(type='EpochBasedTrainLoop', max_epochs=12, val_interval=1)
    optimizer = dict(type='SGD', lr=1.0)
    return Config({'train_cfg': loop, 'optim_wrapper': dict(optimizer=optimizer), **entries})


@pytest.mark.parametrize('name', [*STOCK, *SHIPPED])
def test_rates_at_equal_shares_of_the_training_stay(name: str) -> None:
    config = read_config(STOCK.get(name) or shipped_configs()[name])
    if 'max_iters' in config.train_cfg:  # shorter, as all of it is simulated
        set_iterations(config, 3000)
    else:
        config.max_warm_up = 0.1  # of these few iterations
    before = rate_curve(config, 20)
    for change, value in ((set_epochs, 31), (set_epochs, 7), (set_iterations, 700)):
        changed = copy.deepcopy(config)
        try:
            change(changed, value)
        except ValueError as error:
            assert 'switches pipelines at an epoch' in str(error)
            continue
        after = rate_curve(changed, 20)
        assert len(after) == (value if change is set_iterations else value * 20)
        for share in SHARES:
            old, new = at(before, share), at(after, share)
            near = [at(before, share - 0.03), at(before, share + 0.03)]
            assert min(*near, old) * 0.9 - 0.01 <= new <= max(*near, old) * 1.1, (change, share)


@pytest.mark.parametrize('epochs', [1, 2, 3])
def test_a_warm_up_in_iterations_takes_a_tenth_of_a_short_training(epochs: int) -> None:
    config = read_config(shipped_configs()['effnet_b3_retinanet_coco'])
    set_epochs(config, epochs)
    rates = rate_curve(config, 30)
    assert rates[0] == pytest.approx(0.1)
    # 1000 iterations in the config.
    assert next(step for step, rate in enumerate(rates) if rate > 0.999) <= len(rates) * 0.1
    if epochs == 1:
        assert rate_curve(config, 11_000)[998] < 1.0  # of a long one as long as in the config
    assert rates[-1] == pytest.approx(0.01)  # divided by ten, twice


def test_a_warm_up_that_has_no_room_is_left_out() -> None:
    config = read_config(shipped_configs()['effnet_lite0_fpn_camvid'])
    set_iterations(config, 10)
    rates = rate_curve(config, 1)
    assert rates[0] == pytest.approx(1.0) or rates[1] > rates[0]
    assert rates[-1] < 0.2


@pytest.mark.parametrize(
    ('schedule', 'at_half'),
    [
        (dict(type='ExponentialLR', gamma=0.5), 0.5**6),
        (dict(type='StepLR', step_size=4, gamma=0.1), 0.1),
        (dict(type='CosineRestartLR', periods=[6, 6], restart_weights=[1, 1], eta_min=0), 1.0),
        (dict(type='OneCycleLR', eta_max=1.0, total_steps=12, pct_start=0.5), 1.0),
    ],
    ids=lambda value: value['type'] if isinstance(value, dict) else '',
)
def test_other_schedules(schedule: dict, at_half: float) -> None:
    for epochs in (6, 24):
        config = base(param_scheduler=[dict(schedule)])
        set_epochs(config, epochs)
        rates = rate_curve(config, 4)
        assert len(rates) == epochs * 4
        assert max(rates[epochs * 2 - 6 : epochs * 2 + 6]) >= at_half * 0.7
        assert min(rates[epochs * 2 - 6 : epochs * 2 + 6]) <= at_half * 1.4


def test_iterations_that_cannot_be_converted_are_refused() -> None:
    config = base(param_scheduler=[dict(type='PolyLR', begin=0, end=9000, by_epoch=False)])
    with pytest.raises(ValueError, match=r'--iterations 10: param_scheduler.0 .* write --epochs'):
        set_iterations(config, 10)
    set_epochs(config, 24)
    assert config.param_scheduler[0].end == 18000


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 30))
@settings(max_examples=40)
def test_any_length(epochs: int, warm_up: int, epoch_length: int) -> None:
    """The rate ends at the schedule's end, never stays in the warm-up, and is never negative."""
    config = base(
        param_scheduler=[
            dict(type='LinearLR', start_factor=0.1, begin=0, end=min(warm_up, 11)),
            dict(type='CosineAnnealingLR', eta_min=0.0, begin=min(warm_up, 11), end=12, T_max=12),
        ]
    )
    config.param_scheduler[1].T_max = 12 - config.param_scheduler[1].begin
    set_epochs(config, epochs)
    rates = rate_curve(config, epoch_length)
    assert all(0 <= rate <= 1 + 1e-6 for rate in rates)
    if len(rates) > 200:
        assert max(rates) > 0.9
