"""Pack a deployed model's convolutions together with the activations after them."""

from __future__ import annotations

from typing import Any

from torch import nn

from effnet_dense.deployment.packed_conv import PackedConv2d, can_absorb, can_pack, pack_conv
from effnet_dense.models.bifpn_seg_head import BiFPNSegHead
from effnet_dense.models.efficientdet_head import EfficientDetHead
from effnet_dense.models.layers import ConvNormAct

# A module, and the name of a convolution in it.
Place = tuple[nn.Module, str]

# Methods that determine the order in which a module's layers run.
ORDER_METHODS = ('forward', 'sequence', '_run')


def pack(model: nn.Module) -> None:
    """Replace each convolution that `can_pack` accepts by a packed one, in place.

    In this package's modules it absorbs the activation after it, where no norm is in between. A
    shared convolution stays shared.
    """
    made: dict[tuple[int, nn.Module | None], PackedConv2d] = {}
    originals = []  # kept so that their ids are not reused

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
        if places and can_absorb(act) and all(can_pack(getattr(*place)) for place in places):
            for place in places:
                put(place, act)
            module.act = nn.Identity()
    for parent in modules:
        for name, child in list(parent._modules.items()):
            if can_pack(child):
                put((parent, name), None)


def runs_as(module: nn.Module, *classes: type[nn.Module]) -> bool:
    """Whether this is an instance of `classes` that does not override the order of its layers."""
    return any(
        isinstance(module, cls)
        and all(
            getattr(type(module), name, None) is getattr(cls, name, None) for name in ORDER_METHODS
        )
        for cls in classes
    )


def _activated(module: Any) -> list[Place]:
    """List a module's convolutions whose output goes directly to its `act`."""
    if runs_as(module, ConvNormAct) and module.norm_name is None:
        return [(module, 'conv')]
    if runs_as(module, EfficientDetHead):
        norms = [*module.cls_norms, *module.reg_norms]
        return [(by_level, name) for by_level in norms for name, _ in by_level.named_children()]
    if runs_as(module, BiFPNSegHead) and all(conv.norm_name is None for conv in module.convs):
        return [(conv, 'pointwise') for conv in module.convs]
    return []
