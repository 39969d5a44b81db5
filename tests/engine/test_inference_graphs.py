"""CUDA graphs in inference: all but the capture, which needs a GPU."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from effnet_dense.engine.inference_graphs import capture, graph_inference


class Recorder:
    """Stands in for `capture`."""

    def __init__(self) -> None:
        self.captures = self.replays = 0

    def __call__(self, module: nn.Module, samples: Any, allow_unused_input: bool) -> Any:
        self.captures += 1

        def replay(*inputs: Any) -> Any:
            self.replays += 1
            return module(*inputs)

        return replay


def network() -> Any:
    torch.manual_seed(0)
    model: Any = nn.Module()
    model.backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    return model.eval()


def step(parts: dict[str, Any], model: Any, x: Tensor) -> Tensor:
    for part in parts.values():
        part.used = False
    with torch.no_grad():
        return model.backbone(x)


def test_images_of_one_size_run_from_the_graph() -> None:
    model, graph, warnings = network(), Recorder(), []
    parts = graph_inference(model, warnings.append, graph)
    x = torch.randn(1, 3, 8, 8)
    for image in (x, x + 1):
        torch.testing.assert_close(step(parts, model, image), network().backbone(image))
    assert (graph.captures, graph.replays, warnings) == (1, 2, [])
    for _ in range(2):
        step(parts, model, torch.randn(1, 3, 8, 9))
    assert (graph.captures, graph.replays, len(warnings)) == (1, 2, 1)
    assert 'backbone runs without its graph where its inputs differ' in warnings[0]


def test_with_gradients_or_in_training_there_is_no_graph() -> None:
    model, graph = network(), Recorder()
    graph_inference(model, print, graph)
    model.backbone(torch.randn(1, 3, 8, 8)).sum().backward()
    with torch.no_grad():
        model.train().backbone(torch.randn(2, 3, 8, 8))
    assert graph.captures == 0


def test_what_cannot_be_captured_is_named() -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise RuntimeError('operation not permitted when stream is capturing')

    model = network()
    parts = graph_inference(model, print, refuse)
    with pytest.raises(RuntimeError, match='backbone cannot be captured, run without --cuda-gr'):
        step(parts, model, torch.randn(1, 3, 8, 8))


def test_a_cpu_has_none() -> None:
    with pytest.raises(ValueError, match="needs a GPU, and the model runs on 'cpu'"):
        graph_inference(network(), print)


@pytest.mark.gpu
def test_captured_results_are_the_plain_ones() -> None:
    """On the CPU: test_images_of_one_size_run_from_the_graph."""
    model, plain = network().cuda(), network().cuda()
    parts = graph_inference(model, print, capture)
    for _ in range(3):
        x = torch.randn(1, 3, 8, 8, device='cuda')
        torch.testing.assert_close(step(parts, model, x), plain.backbone(x))
