"""Predicted peaks compared with those that PyTorch's allocator and the system report."""

from __future__ import annotations

from typing import Any

import pytest

from effnet_dense.analysis.cuda_branches import cuda_branches
from effnet_dense.analysis.memory import TrainingSetup, largest_batch, predict_peak, training_setup
from effnet_dense.analysis.memory.byte_counter import Category
from effnet_dense.engine.config import load_config
from effnet_dense.settings import Settings
from tests.helpers.measured_peak import allocated_peak, resident_peak, short_config

LITE = 'efficientdet_lite0_finetune'
RETINANET = 'effnet_lite0_retinanet_finetune'
SEGMENTOR = 'effnet_lite0_fpn_camvid'
D0 = 'efficientdet_d0_coco'  # with averaged weights


def small(name: str, **values: Any) -> tuple[Any, TrainingSetup]:
    return prepared(short_config(name), **values)


def prepared(config: Any, **values: Any) -> tuple[Any, TrainingSetup]:
    # In that format real operators make copies (13 % at most) that fake ones do not.
    config.pop('channels_last', None)
    values = {'batch_size': 2, 'size': (128, 128), **values}
    return config, training_setup(config, **values)


@pytest.mark.slow
@pytest.mark.parametrize(('name', 'lean'), [(LITE, 0), (LITE, 1), (RETINANET, 0), (SEGMENTOR, 1)])
def test_the_allocators_count(name: str, lean: int) -> None:
    config, setup = small(name, lean=lean)
    predicted = predict_peak(config, setup, gpu=False).total
    assert predicted == pytest.approx(allocated_peak(config, setup), rel=0.05)


# bfloat16 is slow where the processor has none.
@pytest.mark.slow
@pytest.mark.parametrize('values', [dict(lean=2), dict(precision='bf16', lean=1, size=(64, 96))])
def test_averaged_weights_and_mixed_precision(values: dict[str, Any]) -> None:
    config, setup = small(SEGMENTOR, **values)
    config.custom_hooks = [dict(type='EMAHook')]
    predicted = predict_peak(config, setup, gpu=False).total
    assert predicted == pytest.approx(allocated_peak(config, setup), rel=0.05)


@pytest.mark.slow
def test_proposals_are_the_most_that_is_possible() -> None:
    config, setup = small('effnet_b0_faster_rcnn_coco')
    predicted = predict_peak(config, setup, gpu=False).total
    measured = allocated_peak(config, setup)
    assert measured < predicted < 1.25 * measured


@pytest.mark.slow
@pytest.mark.parametrize(('name', 'lean'), [(RETINANET, 1), (SEGMENTOR, 0)])
def test_the_systems_count(name: str, lean: int) -> None:
    """Resident memory, at a size where it is much more than its noise."""
    config, setup = small(name, size=(256, 256), lean=lean)
    predicted = predict_peak(config, setup, gpu=False).total
    assert predicted == pytest.approx(resident_peak(name, 2, 256, lean), rel=0.1)


@pytest.mark.slow
def test_cudas_operators() -> None:
    """At lean 0 CPUs join attention and projection, which saves 7 %."""
    config, setup = small(D0, lean=0, size=(256, 256))
    config.custom_hooks = []
    with cuda_branches():
        measured = allocated_peak(config, setup)
    assert predict_peak(config, setup).total == pytest.approx(measured, rel=0.005)


@pytest.mark.slow
def test_parts_by_hand() -> None:
    config, setup = prepared(load_config(D0))
    peak = predict_peak(config, setup, gpu=False)
    # 3,880,067 parameters with 90 classes; 80 classes have 9 · 10 outputs of 64 weights + 1 less.
    parameters = 4 * (3_880_067 - 9 * 10 * 65)
    assert peak.parts[Category.PARAMETERS] == parameters
    # SGD's momentum, and a number that mmengine keeps.
    assert peak.parts[Category.OPTIMIZER] == parameters + 4
    assert peak.parts[Category.AVERAGE] == parameters + peak.parts[Category.BUFFERS]
    # Of each of 8 objects a box, 4 numbers, and a label, 8 bytes.
    assert peak.parts[Category.BATCH] == 2 * (3 * 128 * 128 * 4 + 8 * (4 * 4 + 8))
    assert sum(peak.parts.values()) == peak.total
    assert peak.phase == 'backward'


@pytest.mark.slow
def test_adamw_has_two_states_and_accumulation_keeps_gradients() -> None:
    config, setup = small(LITE)
    config.optim_wrapper.accumulative_counts = 2
    parts = predict_peak(config, setup, gpu=False).parts
    weights = parts[Category.PARAMETERS]
    assert parts[Category.GRADIENTS] == weights
    assert 2 * weights < parts[Category.OPTIMIZER] < 2.01 * weights  # and a count each


def test_the_largest_batch() -> None:
    asked = []

    def predict(images: int) -> int:
        asked.append(images)
        return 1000 + 90 * images + images % 3

    assert largest_batch(predict, 1000 + 90 * 57 + 89) == 57
    assert len(asked) < 8
    assert largest_batch(predict, 1090) == 0
    assert largest_batch(predict, 1091) == 1
    assert largest_batch(lambda images: images**2, 1000) == 31


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        (dict(batch_size=0), 'at least one image, got a batch size of 0'),
        (dict(precision='fp8'), "precision must be one of .*, got 'fp8'"),
        (dict(size=(0, 8)), 'at least one pixel, got a size of 0 × 8'),
        (dict(objects=0), 'images have 1 to 10000 objects, got 0'),
    ],
)
def test_impossible_setups(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(LITE, **values)


def test_impossible_models() -> None:
    config, setup = small(LITE, lean=3)
    with pytest.raises(ValueError, match=r'lean must be one of \(0, 1, 2\), got 3'):
        predict_peak(config, setup)
    config.model = dict(type='mmdet.FPN', in_channels=[8], out_channels=8, num_outs=1)
    with pytest.raises(ValueError, match='which take images; got a FPN'):
        predict_peak(config, setup)
    config.pop('model')
    with pytest.raises(ValueError, match='no model'):
        predict_peak(config, setup)


def test_a_loss_that_needs_values(monkeypatch: pytest.MonkeyPatch) -> None:
    config, setup = small(SEGMENTOR)

    def loss(*_: Any) -> None:
        raise AssertionError('at most one')

    monkeypatch.setattr('mmseg.models.EncoderDecoder.loss', loss)
    with pytest.raises(ValueError, match=r'needs predictions with values.*AssertionError: at most'):
        predict_peak(config, setup)


@pytest.mark.parametrize(
    ('name', 'part'),
    [
        ('effnet_b3_mask2former_coco', 'Mask2Former'),
        ('effnet_b5_mask2former_ade20k', 'Mask2FormerHead'),
    ],
)
def test_queries_are_matched_by_values(name: str, part: str) -> None:
    settings = Settings(backbone='lite0', weights='none', image_size=(64, 64), batch_size=2)
    config = load_config(name, settings=settings)
    with pytest.raises(ValueError, match=f'^the loss of {part} needs predictions with values'):
        predict_peak(config, training_setup(config))
