"""Both nets of EfficientDet's head at once on small levels, beside one net and level at a time."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from effnet_dense.analysis.saved_memory import measure_saved_memory
from effnet_dense.engine import load_config
from effnet_dense.lean import apply
from effnet_dense.models import EfficientDetHead, small_levels
from tests.helpers import peers

CHANNELS, REPEATS, LEVELS = 16, 3, 5
SIDES = ((12, 20), (6, 10), (3, 5), (2, 3), (1, 2))
DEPTHWISE = (REPEATS + 1) * LEVELS  # convolutions, if both nets' are one


class Operators(TorchDispatchMode):
    """Counts operators by name."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.found[func._schema.name.removeprefix('aten::')] += 1
        return func(*args, **(kwargs or {}))


@pytest.fixture
def on_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_levels, 'is_on_gpu', lambda x: True)


def head(lean: int = 1, **options: Any) -> Any:
    init_default_scope('mmdet')
    coder = dict(type='DeltaXYWHBBoxCoder')
    options = dict(conv_bias=True, stacked_convs=REPEATS, bbox_coder=coder) | options
    found = peers.randomise_(EfficientDetHead(4, CHANNELS, **options)).train()
    apply(found, lean)
    return found


def features(dtype: torch.dtype = torch.float64, gradient: bool = True) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(2, CHANNELS, *side, generator=generator).to(dtype).requires_grad_(gradient)
        for side in SIDES
    ]


def step(part: nn.Module, inputs: list[Tensor]) -> dict[str, Tensor]:
    """Outputs, gradients and statistics of a training step."""
    part = copy.deepcopy(part)
    outs = [x for group in part(inputs) for x in group]
    generator = torch.Generator().manual_seed(1)
    sum((x * torch.randn(x.shape, generator=generator)).sum() for x in outs).backward()
    found = {f'output {index}': x.detach() for index, x in enumerate(outs)}
    found |= {f'input {index}': x.grad for index, x in enumerate(inputs)}
    found |= {name: x.grad for name, x in part.named_parameters() if x.requires_grad}
    return found | dict(part.named_buffers())


def count(part: nn.Module, inputs: list[Tensor]) -> Counter[str]:
    part = copy.deepcopy(part)
    with Operators() as operators:
        part(inputs)
    return operators.found


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor], share: float) -> None:
    assert found.keys() == expected.keys()
    for name, x in expected.items():
        assert found[name].dtype == x.dtype, name
        assert found[name].shape == x.shape, name
        error = (found[name].double() - x.double()).abs().max()
        # A bias before a norm has no gradient but rounding.
        assert error <= share * max(float(x.abs().max()), 1), name


@pytest.mark.parametrize(
    'options',
    [
        dict(),
        dict(conv_bias=False),
        dict(norm_cfg=dict(type='SyncBN', eps=1e-3, momentum=0.01)),
        dict(act_cfg=dict(type='ReLU6', inplace=True)),
        dict(stacked_convs=1, norm_cfg=dict(type='BN', eps=1e-5, momentum=0.1)),
    ],
)
@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
def test_outputs_gradients_and_statistics_are_those_of_single_nets_and_levels(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], memory_format: Any
) -> None:
    part = head(**options).double()
    inputs = [x.contiguous(memory_format=memory_format) for x in features(gradient=False)]
    expected = step(part, [x.clone().requires_grad_() for x in inputs])
    monkeypatch.setattr(small_levels, 'is_on_gpu', lambda x: True)
    assert count(part, inputs)['convolution'] == (part.stacked_convs + 1) * LEVELS
    found = step(part, [x.clone().requires_grad_() for x in inputs])
    assert_same(found, expected, 1e-10)


def test_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> dict[str, Tensor]:
        with torch.autocast('cpu', torch.bfloat16):
            return step(part, features(torch.float32))

    part = head()
    exact = step(part, features(torch.float32))
    expected = run()
    monkeypatch.setattr(small_levels, 'is_on_gpu', lambda x: True)
    found = run()
    assert all(found[name].dtype == x.dtype for name, x in expected.items())
    assert found['output 0'].dtype == torch.bfloat16
    for name, x in exact.items():
        errors = [float((each[name] - x).double().norm()) for each in (found, expected)]
        assert errors[0] <= 1.5 * errors[1] + 1e-3 * float(x.double().norm()), name


def test_frozen_weights_and_inputs(on_gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    part = head().double()
    part.cls_convs.requires_grad_(False)
    inputs = features(gradient=False)
    found = step(part, inputs)
    monkeypatch.setattr(small_levels, 'is_on_gpu', lambda x: False)
    assert_same(
        {name: x for name, x in found.items() if x is not None},
        {name: x for name, x in step(part, inputs).items() if x is not None},
        1e-10,
    )


def test_large_levels_run_alone(on_gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    part = head().double()
    expected = step(part, features())
    monkeypatch.setattr(small_levels, 'SMALLEST', 2 * CHANNELS * 6 * 10 + 1)
    # Of the finest level two nets' convolutions, of either kind
    assert count(part, features())['convolution'] == (REPEATS + 1) * (LEVELS - 1 + 4)
    assert_same(step(part, features()), expected, 1e-10)


@pytest.mark.parametrize('lean', [0, 2])
def test_other_levels_of_lean_training_run_plainly(on_gpu: None, lean: int) -> None:
    assert count(head(lean).double(), features())['convolution'] == 4 * DEPTHWISE


def _norm_in_eval(part: Any) -> None:
    part.reg_norms[1][2].eval()


def _other_momentum(part: Any) -> None:
    part.reg_norms[0][0].momentum = 0.5


def _own_forward(part: Any) -> None:
    conv = part.cls_convs[0].pointwise
    conv.forward = type(conv).forward.__get__(conv)


def _group_norm(part: Any) -> None:
    part.cls_norms[0][1] = nn.GroupNorm(4, CHANNELS).double()


def _other_activation(part: Any) -> None:
    part.act = nn.ReLU()


@pytest.mark.parametrize(
    'change', [_norm_in_eval, _other_momentum, _own_forward, _group_norm, _other_activation]
)
def test_what_does_not_fit_runs_plainly(
    on_gpu: None, monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], None]
) -> None:
    part = head().double()
    change(part)
    found = step(part, features())
    assert count(part, features())['convolution'] == 4 * DEPTHWISE
    monkeypatch.setattr(small_levels, 'is_on_gpu', lambda x: False)
    assert_same(found, step(part, features()), 1e-10)


@pytest.mark.parametrize(
    'find',
    [
        lambda part: part.cls_convs[1],
        lambda part: part.cls_convs[1].pointwise,
        lambda part: part.cls_norms[1][2],
        lambda part: part.act,
    ],
)
def test_hooks_fire(on_gpu: None, find: Callable[[Any], nn.Module]) -> None:
    part, calls = head().double(), []
    find(part).register_forward_hook(lambda *_: calls.append(1))
    part(features())
    times = {part.act: 2 * REPEATS * LEVELS, part.cls_norms[1][2]: 1}
    assert len(calls) == times.get(find(part), LEVELS)


def test_traces_and_inference_have_plain_layers(on_gpu: None) -> None:
    part = head().double().requires_grad_(False)

    class Flat(nn.Module):
        def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
            return tuple(x for group in part(inputs) for x in group)

    trace = torch.jit.trace(Flat(), tuple(features(gradient=False)), check_trace=False)
    assert str(trace.inlined_graph).count('aten::_convolution') == 4 * DEPTHWISE
    with torch.no_grad():
        assert count(part, features())['convolution'] == 4 * DEPTHWISE


def test_statistics_of_several_processes_are_left_to_lean_training(
    on_gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = head().double()
    assert count(part, features())['convolution'] == DEPTHWISE
    monkeypatch.setattr(small_levels, 'group_of', lambda norm: 'a group')
    assert count(part, features())['convolution'] == 4 * DEPTHWISE


def test_the_shipped_detector_runs_small_levels_at_once(on_gpu: None) -> None:
    config = load_config('efficientdet_d0_coco').model
    init_default_scope('mmdet')
    part = MODELS.build(dict(config.bbox_head, train_cfg=None, test_cfg=None)).train()
    channels = part.in_channels
    assert count(part, [torch.randn(2, channels, side, side) for side in (8, 4, 2, 1, 1)])[
        'convolution'
    ] == 5 * (part.stacked_convs + 1)


def test_cpus_run_one_level_after_the_other() -> None:
    assert count(head().double(), features())['convolution'] == 4 * DEPTHWISE


def test_no_more_is_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    part = head()
    inputs = features(torch.float32, gradient=False)

    def saved() -> int:
        return measure_saved_memory(part, inputs[0], lambda _: part(inputs)).bytes

    apart = saved()
    monkeypatch.setattr(small_levels, 'is_on_gpu', lambda x: True)
    # Depthwise weights and those of norms, of both nets side by side: independent of the images
    weights = (REPEATS + 1) * 9 + REPEATS * LEVELS * 2
    assert saved() - apart == 4 * 2 * CHANNELS * weights


def test_a_single_value_per_channel(on_gpu: None) -> None:
    inputs = [x[:1, :, :1, :1] for x in features()]
    with pytest.raises(ValueError, match=r'more than one value per channel, got \(1, 16, 1, 1\)'):
        head().double()(inputs)


def test_weights_of_another_dtype_fail_as_plainly(on_gpu: None) -> None:
    with pytest.raises(RuntimeError, match='type'):
        head()(features(torch.float64))


def test_another_number_of_channels_fails_as_plainly(on_gpu: None) -> None:
    with pytest.raises(RuntimeError, match='to have 16 channels, but got 8 channels instead'):
        head().double()([x[:, : CHANNELS // 2] for x in features()])
