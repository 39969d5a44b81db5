"""A deployed model's convolutions, packed together with the activations behind them."""

from __future__ import annotations

from typing import Any

from torch import nn

from effnet_dense.deployment.packed_conv import PackedConv2d, joins, pack_conv, packs
from effnet_dense.models.bifpn_seg_head import BiFPNSegHead
from effnet_dense.models.efficientdet_head import EfficientDetHead
from effnet_dense.models.layers import ConvNormAct

# A module, and the name under which it has a convolution.
Place = tuple[nn.Module, str]

# Methods that decide in which order parts run.
ORDERS = ('forward', 'body', 'pieces', '_row')


def pack(model: nn.Module) -> None:
    """Put a packed convolution in the place of each that `packs` allows.

    It takes over the activation behind it in this package's modules, where no norm is between them.
    One that is shared is the same in all places.
    """
    made: dict[tuple[int, nn.Module | None], PackedConv2d] = {}
    originals = []  # so that nothing else gets their ids

    def put(place: Place, act: nn.Module | None) -> None:
        parent, name = place
        conv = getattr(parent, name)
        originals.append(conv)
        key = id(conv), act
        if key not in made:
            made[key] = pack_conv(conv, act)
        setattr(parent, name, made[key])

    modules = list(model.modules())
    for module in modules:
        places, act = _activated(module), getattr(module, 'act', None)
        if places and joins(act) and all(packs(getattr(*place)) for place in places):
            for place in places:
                put(place, act)
            module.act = nn.Identity()
    for parent in modules:
        for name, child in list(parent._modules.items()):
            if packs(child):
                put((parent, name), None)


def runs_as(module: nn.Module, *classes: type[nn.Module]) -> bool:
    """Whether this is one of `classes` and runs its parts in their order; a subclass may not."""
    return any(
        isinstance(module, cls)
        and all(getattr(type(module), name, None) is getattr(cls, name, None) for name in ORDERS)
        for cls in classes
    )


def _activated(module: Any) -> list[Place]:
    """Where a module has all the convolutions whose output goes to its `act` at once."""
    if runs_as(module, ConvNormAct) and module.norm_name is None:
        return [(module, 'conv')]
    if runs_as(module, EfficientDetHead):
        norms = [*module.cls_norms, *module.reg_norms]
        return [(by_level, name) for by_level in norms for name, _ in by_level.named_children()]
    if runs_as(module, BiFPNSegHead) and all(conv.norm_name is None for conv in module.convs):
        return [(conv, 'pointwise') for conv in module.convs]
    return []
