"""Lean classes of the networks' modules, and switching between them and the plain ones.

`apply` replaces the class of an instance, as `torch.nn.utils.parametrize` and FSDP2's `fully_shard`
do: parameters, buffers, hooks and names are unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

from torch import Tensor, nn

from effnet_dense.lean.chain import run_chain
from effnet_dense.models.bifpn import BiFPN
from effnet_dense.models.blocks import FusedMBConv, MBConv
from effnet_dense.models.efficientnet import EfficientNet
from effnet_dense.models.layers import RunsLayers

LEVELS = (0, 1, 2)
# Modules whose inner layers are part of their chain.
BLOCKS = (MBConv, FusedMBConv)


def apply(model: nn.Module, level: int) -> int:
    """Choose what training saves for the backward pass, in all of a model's lean modules.

    The model may be a backbone, neck, head, block, or a detector or segmentor that contains them;
    it is changed in place, and the level can be changed again.

    Args:
        model: A network of this package's modules, or one that contains them.
        level: 0 saves what autograd saves; 1 saves each convolution's output once; 2 also
            recomputes the outputs of 1×1 convolutions that widen and of the depthwise half of
            separable convolutions. Gradients and statistics are bit-identical.

    Returns:
        The number of modules whose level was set; 0 if the model contains none.

    Raises:
        ValueError: `level` is not one of `LEVELS`.
    """
    if isinstance(level, bool) or level not in LEVELS:
        raise ValueError(f'lean must be one of {LEVELS}, got {level!r}')
    modules = _modules_to_exchange(model)
    for module in modules:
        if not isinstance(module, Lean):
            module.__class__ = lean_class(cast(Any, type(module)))
        module.lean = level
    for module in model.modules():
        if isinstance(module, EfficientNet | BiFPN):
            module.lean = level
    return len(modules)


def remove(model: nn.Module) -> None:
    """Restore the plain classes of all of a model's modules, in place."""
    for module in model.modules():
        if isinstance(module, EfficientNet | BiFPN):
            module.lean = 0
        if isinstance(module, Lean):
            cast(Any, module).__class__ = module.plain_class


class Lean(RunsLayers):
    """Mixin of the lean classes, each of which is also a plain class that runs layers.

    Attributes:
        lean: The level, see `apply`.
        plain_class: The class that this one replaces.
    """

    lean: int
    plain_class: type[nn.Module]

    def run_layers(self, layers: Sequence[nn.Module], *inputs: Tensor) -> Tensor:
        """Run layers as one chain: inputs (N, C, H, W) → the last layer's output."""
        return run_chain(self.lean, layers, *inputs)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle by the plain class: a subclass's lean class is created at run time."""
        return _unpickle, (self.plain_class,), self.__getstate__()


def _unpickle(plain: type[nn.Module]) -> nn.Module:
    cls = lean_class(cast(Any, plain))
    return cls.__new__(cls)


@cache
def lean_class(plain: type[nn.Module]) -> Any:
    """Return the lean class of a plain one, whose methods it keeps."""
    members = dict(plain_class=plain, __module__=plain.__module__, __doc__=plain.__doc__)
    return type(f'Lean{plain.__name__}', (Lean, plain), members)


def _modules_to_exchange(module: nn.Module) -> list[Any]:
    """List the modules whose class is replaced, without those inside a block."""
    # A subclass with a `run_layers` of its own keeps it.
    runs = getattr(type(module), 'run_layers', None) in (RunsLayers.run_layers, Lean.run_layers)
    found: list[Any] = [module] if runs else []
    if isinstance(module, BLOCKS):
        return found
    return found + [inner for child in module.children() for inner in _modules_to_exchange(child)]
