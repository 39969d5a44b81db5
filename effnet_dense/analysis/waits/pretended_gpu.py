"""Compute on the CPU what a training would compute on a GPU, so that its waits can be listed.

Tensors on the pretended GPU have values, so that a training takes its usual course. Python code
sees the device cuda:0. Inside torch they are of the device 'meta', because builds of torch for CUDA
refuse CUDA's own without a driver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from mmengine.structures import instance_data
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import _foreach_utils
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_any, tree_map_only

GPU = torch.device('cuda', 0)
INSIDE = torch.device('meta')
HOST = torch.device('cpu')

FROM_VALUES = (torch.tensor, torch.as_tensor, Tensor.new_tensor)
"""Functions that build a tensor on the host, and copy it."""

Operator = Callable[[Any, tuple[Any, ...], dict[str, Any]], None]
"""Is called before each operator with a tensor on the GPU: operator, arguments, keywords."""


class OnGPU(Tensor):
    """A tensor whose values lie in another one, on the CPU."""

    on_host: Tensor

    @staticmethod
    def __new__(cls, values: Tensor, requires_grad: bool = False) -> OnGPU:
        """Wrap values, without a graph of their own."""
        tensor = Tensor._make_wrapper_subclass(
            *(cls, values.shape),
            strides=values.stride(),
            storage_offset=values.storage_offset(),
            dtype=values.dtype,
            device=INSIDE,
            requires_grad=requires_grad,
        )
        tensor.on_host = values
        return tensor

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        """The pretended device."""
        return GPU

    @property
    def is_cuda(self) -> bool:  # type: ignore[override]
        """Whether the pretended device is a GPU."""
        return True

    @property
    def is_meta(self) -> bool:  # type: ignore[override]
        """Whether values are missing."""
        return False

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run one operator on the CPU."""
        return _run(func, args, kwargs or {})

    def __deepcopy__(self, memo: dict[int, Any]) -> OnGPU:
        """Copy the values."""
        if id(self) not in memo:
            memo[id(self)] = to_gpu(self.on_host.detach().clone(), like=self)
        return memo[id(self)]


def to_gpu(tensor: Tensor, like: Tensor | None = None) -> OnGPU:
    """Put a tensor of the CPU on the pretended GPU; parameters stay parameters.

    Args:
        tensor: Its values are shared.
        like: What is copied from in place of `tensor`: whether it is a parameter, and needs a
            gradient.
    """
    like = tensor if like is None else like
    moved = OnGPU(tensor.detach(), like.requires_grad)
    if isinstance(like, torch.nn.Parameter):
        moved._is_param = True
    return moved


@contextmanager
def pretended_gpu(listen: Operator) -> Iterator[None]:
    """Run tensors of the device cuda:0 on the CPU, and report their operators.

    Args:
        listen: Called before each operator.
    """
    with _known_type(), _Operators(listen), _Devices():
        yield


@contextmanager
def _known_type() -> Iterator[None]:
    """Let torch group the tensors as those of a GPU (`_foreach_…`), and mmengine index by them."""
    devices = [*_foreach_utils._get_foreach_kernels_supported_devices(), INSIDE.type]
    types = [*_foreach_utils._foreach_supported_types, OnGPU]
    with (
        mock.patch.object(
            _foreach_utils, '_get_foreach_kernels_supported_devices', lambda: devices
        ),
        mock.patch.object(_foreach_utils, '_foreach_supported_types', types),
        mock.patch.object(instance_data, 'IndexType', instance_data.IndexType | OnGPU),
    ):
        yield


class _Operators(TorchDispatchMode):
    """Run operators with tensors on the GPU, and those that create one."""

    def __init__(self, listen: Operator) -> None:
        super().__init__()
        self.listen = listen

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not tree_any(is_on_gpu, (args, kwargs)) and kwargs.get('device') != INSIDE:
            return func(*args, **kwargs)
        self.listen(func, args, kwargs)
        return _run(func, args, kwargs)


class _Devices(TorchFunctionMode):
    """Replace cuda:0 among the arguments of functions and methods."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.device:
            return func(*args, **(kwargs or {}))
        args, kwargs = tree_map_only((torch.device, str), _inside, (args, kwargs or {}))
        if func is Tensor.tolist and is_on_gpu(args[0]):
            return args[0].to(HOST).tolist()  # torch refuses it for subclasses
        if func is Tensor.cuda:
            return args[0].to(INSIDE, non_blocking=kwargs.get('non_blocking', False))
        if func in FROM_VALUES and _target(func, args, kwargs) == INSIDE:
            return func(*args, **{**kwargs, 'device': HOST}).to(INSIDE)
        return func(*args, **kwargs)


def _target(func: Any, args: Any, kwargs: Any) -> torch.device | None:
    """Return the device to which one of `FROM_VALUES` copies; None if the values are there."""
    values = args[1] if func is Tensor.new_tensor and len(args) > 1 else args[0] if args else None
    if is_on_gpu(values):
        return None
    if kwargs.get('device') is not None:
        return torch.device(kwargs['device'])
    return INSIDE if func is Tensor.new_tensor and is_on_gpu(args[0]) else None


def _inside(device: torch.device | str) -> torch.device | str:
    """Replace cuda by the device inside, of the same type."""
    name = str(device)
    if name != 'cuda' and not name.startswith('cuda:'):
        return device
    return str(INSIDE) if isinstance(device, str) else INSIDE


def is_on_gpu(value: Any) -> bool:
    """Whether a value is a tensor on the pretended GPU."""
    return isinstance(value, OnGPU)


def _run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run an operator on the CPU; results are on the GPU, unless they are copied to the host."""
    stays = 'device' not in kwargs or kwargs['device'] in (None, INSIDE)
    inner = {**kwargs, 'device': HOST} if kwargs.get('device') == INSIDE else kwargs
    values, named = tree_map_only(OnGPU, lambda tensor: tensor.on_host, (args, inner))
    if func is torch.ops.aten._to_copy.default:
        named.pop('non_blocking', None)
    out = func(*values, **named)
    if not stays or (func is torch.ops.aten.copy_.default and not is_on_gpu(args[0])):
        return out
    return return_and_correct_aliasing(func, args, kwargs, tree_map_only(Tensor, OnGPU, out))
