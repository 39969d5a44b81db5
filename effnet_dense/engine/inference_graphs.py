"""Replay backbone, neck and heads from CUDA graphs in inference.

With one image a GPU works for less time than the host needs to start its kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from effnet_dense.engine.cuda_graphs import Graph, GraphedPart, use_cuda_graphs

WARM_UP = 3  # passes, in which algorithms are chosen and memory is allocated


class InferencePart(GraphedPart):
    """The forward pass of a part: from a graph without gradients, and as usual elsewhere."""

    other_inputs = (
        'CUDA graphs: {part} runs without its graph where its inputs differ from those of the '
        'first image: graphs are for images of one size'
    )
    without = 'run without --cuda-graphs (cuda_graphs=False)'

    def applies(self) -> bool:
        """Whether this call may use the graph."""
        return not self.part.training and not torch.is_grad_enabled()


def graph_inference(
    model: nn.Module, warn: Callable[[str], None], graph: Graph | None = None
) -> dict[str, GraphedPart]:
    """Replace the forward passes of a model's parts, which are captured at their first call.

    Args:
        model: A detector or segmentor in eval mode on a GPU; changed in place.
        warn: Is told once per part why a call runs without its graph.
        graph: By default `capture`.

    Returns:
        The parts by name. `used` of each is to be set to False before each batch.

    Raises:
        ValueError: The model is not on a GPU, or a part has no forward pass of its own.
    """
    if graph is None:
        check_inference_graphs(model)
    return use_cuda_graphs(model, warn, graph or capture, InferencePart)


def check_inference_graphs(model: nn.Module) -> None:
    """Raise a ValueError unless a model runs on a GPU."""
    check_graphs_device(next(model.parameters()).device.type)


def check_graphs_device(device: str) -> None:
    """Raise a ValueError unless a device, such as 'cuda:1', is a GPU."""
    if device.partition(':')[0] != 'cuda':
        raise ValueError(f'cuda_graphs needs a GPU, and the model runs on {device!r}')


def capture(
    module: nn.Module, samples: tuple[Any, ...], allow_unused_input: bool = True
) -> Callable[..., Any]:
    """Capture a forward pass; return a function that copies its inputs, and replays it.

    The function's outputs are the same tensors each time.

    Args:
        module: In eval mode; called without gradients.
        samples: Inputs, which the graph keeps.
        allow_unused_input: As in `torch.cuda.make_graphed_callables`, without effect.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            module(*samples)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = module(*samples)

    def replay(*inputs: Any) -> Any:
        for kept, given in zip(tree_leaves(samples), tree_leaves(inputs), strict=True):
            if isinstance(kept, Tensor):
                kept.copy_(given)
        graph.replay()
        return outputs

    return replay
