"""Replay backbone, neck and heads from CUDA graphs in training; losses and assigners stay eager.

A graph is a list of kernels that the driver starts by itself: the host does not spend its time on
each of them. It needs the same shapes in each step, so that other steps run as usual.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

from effnet_dense.deployment import tensor_parts

Graph = Callable[..., Any]
"""`torch.cuda.make_graphed_callables`, or what stands in for it in tests."""

OTHER_INPUTS = (
    'CUDA graphs: {part} runs without its graph where its inputs, or the modes of its modules, '
    'differ from those of its first step: pad images to one size (BatchFixedSizePad), and leave '
    'out a smaller last batch (train_dataloader.drop_last=True)'
)
COMPILED = (
    "expected compile or cuda_graphs, got both: compile=dict(mode='reduce-overhead') uses "
    'CUDA graphs by itself'
)
ANOTHER_CALL = 'CUDA graphs: of several calls of {part} in a step only the first one has its graph'


class GraphedPart:
    """The forward pass of a part: from a graph in training, and as usual elsewhere.

    Args:
        part: A module that maps tensors to tensors.
        name: For messages.
        graph: Makes the graph of a module.
        warn: Is told once why a call runs without the graph.

    Attributes:
        used: Whether the graph was replayed in this step: a second time would overwrite what the
            backward pass of the first needs.
    """

    other_inputs = OTHER_INPUTS
    without = 'train without --cuda-graphs (cuda_graphs=False)'

    def __init__(
        self, part: nn.Module, name: str, graph: Graph, warn: Callable[[str], None]
    ) -> None:
        self.part, self.name, self.graph, self.warn = part, name, graph, warn
        self.plain = part.forward
        self.modules: list[nn.Module] = []
        self.parameters: list[nn.Parameter] = []
        self.graphed: Callable[..., Any] | None = None
        self.key: Any = None
        self.used = self.warned = False

    def __call__(self, *inputs: Any) -> Any:
        """Run the part."""
        if not self.applies():
            return self.plain(*inputs)
        if self.graphed is None:
            self.modules, self.parameters = [*self.part.modules()], [*self.part.parameters()]
            self.graphed, self.key = self._capture(inputs), self._key(inputs)
        key = self._key(inputs)
        if self.used or key != self.key:
            self._warn_once(ANOTHER_CALL if self.used else self.other_inputs)
            return self.plain(*inputs)
        self.used = True
        return self.graphed(*inputs)

    def applies(self) -> bool:
        """Whether this call may use the graph."""
        return self.part.training and torch.is_grad_enabled()

    def __deepcopy__(self, memo: dict[int, Any]) -> GraphedPart:
        """Copy without the graph, which holds this part's weights."""
        copied = copy.copy(self)
        memo[id(self)] = copied
        copied.graphed, copied.used = None, False
        copied.part = copy.deepcopy(self.part, memo)
        copied.plain = copy.deepcopy(self.plain, memo)
        return copied

    def _warn_once(self, text: str) -> None:
        if not self.warned:
            self.warn(text.format(part=self.name))
        self.warned = True

    def _key(self, inputs: Sequence[Any]) -> Any:
        """Return what must be as it was in the capture."""
        tensors = _tensors(inputs)
        device = tensors[0].device.type
        return (
            [(x.shape, x.stride(), x.dtype, x.device, x.requires_grad) for x in tensors],
            [module.training for module in self.modules],
            [parameter.requires_grad for parameter in self.parameters],
            (torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)),
        )

    def _capture(self, inputs: Sequence[Any]) -> Callable[..., Any]:
        """Make the graph for inputs like these.

        Raises:
            RuntimeError: The part does what a graph cannot hold.
        """
        samples = tree_map_only(Tensor, _sample, tuple(inputs))
        device = _tensors(inputs)[0].device.type
        with _restored(self.part), _autocast_without_cache(device):
            try:
                return self.graph(_Forward(self.plain, self.part), samples, allow_unused_input=True)
            except RuntimeError as error:
                raise RuntimeError(
                    f'CUDA graphs: {self.name} cannot be captured, {self.without}: {error}'
                ) from error


class _Forward(nn.Module):
    """A part without the hooks of its own, which the caller runs."""

    def __init__(self, forward: Callable[..., Any], part: nn.Module) -> None:
        super().__init__()
        self.run = forward
        self.part = part

    def forward(self, *inputs: Any) -> Any:
        """Run the part."""
        return self.run(*inputs)


def use_cuda_graphs(
    model: nn.Module,
    warn: Callable[[str], None],
    graph: Graph | None = None,
    kind: type[GraphedPart] = GraphedPart,
) -> dict[str, GraphedPart]:
    """Replace the forward passes of a model's parts, which are captured in their first step.

    Args:
        model: A detector, segmentor or backbone on a GPU; changed in place.
        warn: Is told once per part why a call runs without its graph.
        graph: By default `torch.cuda.make_graphed_callables`.
        kind: What replaces a forward pass.

    Returns:
        The parts by name. `used` of each is to be set to False before each step.

    Raises:
        ValueError: A part has no forward pass of its own.
    """
    parts = {
        name: kind(part, name, graph or torch.cuda.make_graphed_callables, warn)
        for name, part in tensor_parts(model).items()
    }
    for name, part in parts.items():
        if isinstance(part.part, nn.ModuleList):
            raise ValueError(
                f'CUDA graphs: {name} of {type(model).__name__} is a list of modules, which depend '
                "on each other's results"
            )
    for part in parts.values():
        part.part.forward = part
    return parts


def check_cuda_graphs(
    device: str, processes: int = 1, accumulated: int = 1, compiled: bool = False
) -> None:
    """Raise a ValueError if a training cannot use CUDA graphs.

    Args:
        device: Type of its device.
        processes: Number of its processes.
        accumulated: Batches whose gradients are summed up for a step.
        compiled: Whether the parts are compiled.
    """
    if device != 'cuda':
        raise ValueError(f'CUDA graphs need a GPU, and the training runs on {device!r}')
    if compiled:
        raise ValueError(COMPILED)
    if processes > 1:
        raise ValueError(f'CUDA graphs are for trainings in one process, this one has {processes}')
    if accumulated > 1:
        # torch's graphs return gradients in the same memory each time, which are then summed up.
        raise ValueError(
            f'CUDA graphs need a step for each batch, and accumulative_counts is {accumulated}'
        )


def _tensors(inputs: Sequence[Any]) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tuple(inputs)) if isinstance(leaf, Tensor)]


def _sample(tensor: Tensor) -> Tensor:
    """Return a copy without a graph, which the CUDA graph keeps as its input."""
    return tensor.detach().clone().requires_grad_(tensor.requires_grad)


@contextmanager
def _restored(part: nn.Module) -> Iterator[None]:
    """Restore running statistics, which warm-up passes move."""
    buffers = list(part.buffers())
    kept = [buffer.clone() for buffer in buffers]
    yield
    with torch.no_grad():
        for buffer, value in zip(buffers, kept, strict=True):
            buffer.copy_(value)


def _autocast_without_cache(device: str) -> torch.autocast:
    """Continue autocast without its cache, whose casts a graph would lack (pytorch#71631)."""
    enabled, dtype = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
    return torch.autocast(device, dtype, enabled, cache_enabled=False)
