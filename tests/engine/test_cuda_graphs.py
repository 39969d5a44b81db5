"""CUDA graphs in training: all but the capture, which needs a GPU."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS
from torch import Tensor, nn

from effnet_dense.engine import cuda_graphs, runner
from effnet_dense.engine.cuda_graphs import GraphedPart, check_cuda_graphs, use_cuda_graphs
from effnet_dense.engine.hooks.cuda_graphs import CUDAGraphsHook
from effnet_dense.engine.settings.cuda_graphs import set_cuda_graphs
from tests.helpers import resumable


class Recorder:
    """Stands in for `torch.cuda.make_graphed_callables`, with its warm-up passes."""

    def __init__(self) -> None:
        self.captures: list[Any] = []
        self.replays = 0
        self.caches: list[bool] = []

    def __call__(self, module: nn.Module, samples: Any, allow_unused_input: bool) -> Any:
        assert allow_unused_input
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        self.caches.append(torch.is_autocast_cache_enabled())
        self.captures.append(samples)
        for _ in range(3):
            out = module(*samples)
            torch.autograd.grad(out.sum(), list(module.parameters()))

        def replay(*inputs: Any) -> Any:
            self.replays += 1
            return module(*inputs)

        return replay


def network() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Module()
    model.backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    return model.train()


def graphed() -> tuple[nn.Module, GraphedPart, Recorder, list[str]]:
    model, graph, warnings = network(), Recorder(), []
    parts = use_cuda_graphs(model, warnings.append, graph)
    return model, parts['backbone'], graph, warnings


def test_results_and_statistics_are_those_without() -> None:
    x = torch.randn(2, 3, 8, 8)
    plain, (model, part, graph, warnings) = network(), graphed()
    for _ in range(2):
        part.used = False
        results = []
        for each in (plain, model):
            each.zero_grad()
            out = each.backbone(x)
            out.square().mean().backward()
            results.append([out, *each.buffers(), *(p.grad for p in each.parameters())])
        for a, b in zip(*results, strict=True):
            assert torch.equal(a, b)
    assert (len(graph.captures), graph.replays) == (1, 2)
    assert warnings == []


def test_hooks_run_and_inputs_are_copied() -> None:
    model, _, graph, _ = graphed()
    seen: list[Any] = []
    model.backbone.register_forward_pre_hook(lambda module, inputs: seen.append(inputs))
    x = torch.randn(1, 3, 8, 8, requires_grad=True)
    model.backbone(x * 2)
    assert len(seen) == 1
    ((sample,),) = graph.captures
    assert sample.requires_grad
    assert sample.is_leaf
    assert sample.data_ptr() != x.data_ptr()


def test_other_inputs_and_modes_run_as_usual_with_one_warning() -> None:
    model, part, graph, warnings = graphed()

    def run(x: Tensor) -> None:
        part.used = False
        model.backbone(x)

    run(torch.zeros(2, 3, 8, 8))
    run(torch.zeros(1, 3, 8, 8))
    run(torch.zeros(2, 3, 9, 8))
    model.backbone[1].eval()
    run(torch.zeros(2, 3, 8, 8))
    model.backbone[1].train()
    model.backbone[0].requires_grad_(False)
    run(torch.zeros(2, 3, 8, 8))
    assert graph.replays == 1
    assert len(warnings) == 1
    assert warnings[0].startswith('CUDA graphs: backbone runs without its graph where')


def test_a_second_call_in_a_step_does_not_overwrite_the_first() -> None:
    model, part, graph, warnings = graphed()
    x = torch.zeros(2, 3, 8, 8)
    model.backbone(x)
    model.backbone(x)
    assert graph.replays == 1
    assert warnings == [
        'CUDA graphs: of several calls of backbone in a step only the first one has its graph'
    ]
    CUDAGraphsHook([part]).before_train_iter(None, 0)
    model.backbone(x)
    assert graph.replays == 2


def test_evaluations_have_no_graphs() -> None:
    model, _, graph, warnings = graphed()
    model.eval()
    model.backbone(torch.zeros(1, 3, 8, 8))
    model.train()
    with torch.no_grad():
        model.backbone(torch.zeros(1, 3, 8, 8))
    assert not graph.captures
    assert not warnings


def test_autocast_without_its_cache() -> None:
    model, part, graph, _ = graphed()
    x = torch.zeros(2, 3, 8, 8)
    with torch.autocast('cpu', torch.bfloat16):
        assert model.backbone[0](x).dtype == torch.bfloat16
        model.backbone(x)
        assert torch.is_autocast_cache_enabled()
    assert graph.caches == [False]
    part.used = False
    model.backbone(x)  # in float32
    assert graph.replays == 1


def test_copies_have_graphs_of_their_own() -> None:
    model, _, graph, _ = graphed()
    x = torch.zeros(2, 3, 8, 8)
    model.backbone(x)
    copied = copy.deepcopy(model)
    copied.backbone(x).sum().backward()
    assert len(graph.captures) == 2
    assert copied.backbone[0].weight.grad is not None
    assert model.backbone[0].weight.grad is None
    assert copied.backbone.forward.part is copied.backbone


def test_what_cannot_be_captured() -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError('operation not permitted when stream is capturing')

    model = network()
    use_cuda_graphs(model, print, fail)
    with pytest.raises(RuntimeError, match='backbone cannot be captured, train without'):
        model.backbone(torch.zeros(2, 3, 8, 8))
    model.decode_head = nn.ModuleList()
    with pytest.raises(ValueError, match='decode_head of Module is a list of modules'):
        use_cuda_graphs(model, print, fail)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(device='cpu'), "need a GPU, and the training runs on 'cpu'"),
        (dict(device='cuda', compiled=True), 'expected compile or cuda_graphs, got both'),
        (dict(device='cuda', processes=2), 'in one process, this one has 2'),
        (dict(device='cuda', accumulated=4), 'accumulative_counts is 4'),
    ],
)
def test_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_cuda_graphs(**arguments)
    check_cuda_graphs('cuda')


def test_the_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(dict(optim_wrapper=dict(type='OptimWrapper'), device='cpu'))
    with pytest.raises(ValueError, match=r"--cuda-graphs: .* runs on 'cpu'; leave it out"):
        set_cuda_graphs(config, True)
    config.device = 'cuda:1'
    set_cuda_graphs(config, False)
    assert 'cuda_graphs' not in config
    set_cuda_graphs(config, True)
    assert config.cuda_graphs


def test_a_training(tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = resumable.config(
        tiny_data, tmp_path, **{'cuda_graphs': True, 'train_cfg.max_epochs': 2}
    )
    built = RUNNERS.build(config)
    with pytest.raises(ValueError, match="the training runs on 'cpu'"):
        built._maybe_compile('train_step')

    captures: list[str] = []

    def graph(module: nn.Module, samples: Any, allow_unused_input: bool) -> Any:
        captures.append(type(module.part).__name__)
        return module

    monkeypatch.setattr(runner, 'check_cuda_graphs', lambda *_: None)
    monkeypatch.setattr(cuda_graphs.torch.cuda, 'make_graphed_callables', graph)
    built.train()
    assert captures == ['EfficientNet', 'FPN', 'RetinaSepBNHead']
