"""Check whether another implementation may replace a module."""

from __future__ import annotations

from torch import nn


def has_hooks(module: nn.Module) -> bool:
    """Whether hooks are registered that fire when the module runs, forward or backward."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


def has_hooks_inside(module: nn.Module) -> bool:
    """Whether the module or any module inside it `has_hooks`."""
    inside = module._modules  # mostly empty: then no generator is made
    return has_hooks(module) or (
        bool(inside) and any(has_hooks_inside(x) for x in inside.values() if x is not None)
    )


# Methods that determine the order in which a module's layers run.
ORDER_METHODS = ('forward', 'sequence', '_run')


def runs_as(module: nn.Module, *classes: type[nn.Module]) -> bool:
    """Whether this is an instance of `classes` that does not override the order of its layers."""
    return any(
        isinstance(module, cls)
        and all(
            getattr(type(module), name, None) is getattr(cls, name, None) for name in ORDER_METHODS
        )
        for cls in classes
    )


def is_exactly(module: nn.Module, *classes: type[nn.Module]) -> bool:
    """Whether the module's type is one of `classes` and its own `forward` is not overridden.

    Subclasses do not count: they may compute something else.
    """
    return type(module) in classes and 'forward' not in module.__dict__
