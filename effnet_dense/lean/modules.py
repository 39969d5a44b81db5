"""Lean classes of the networks' modules, and switching between them and the plain ones.

`apply` replaces the class of an instance, as `torch.nn.utils.parametrize` and FSDP2's `fully_shard`
do: parameters, buffers, hooks and names are unchanged.
"""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor, nn

from effnet_dense.lean.chain import check_level, run_chain
from effnet_dense.models.bifpn import BiFPN, BiFPNNode
from effnet_dense.models.bifpn_seg_head import BiFPNSegHead
from effnet_dense.models.blocks import FusedMBConv, MBConv
from effnet_dense.models.efficientdet_head import EfficientDetHead
from effnet_dense.models.efficientnet import EfficientNet
from effnet_dense.models.layers import ConvNormAct, SeparableConv


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
    check_level(level)
    modules = _modules_to_exchange(model)
    for module in modules:
        if not isinstance(module, Lean):
            module.__class__ = lean_class(type(module))
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


class Lean:
    """Mixin of the lean classes.

    Attributes:
        lean: The level, see `apply`.
        plain_class: The class that this one replaces.
    """

    lean: int
    plain_class: type[nn.Module]

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle by the plain class: a subclass's lean class is created at run time."""
        return _unpickle, (self.plain_class,), self.__getstate__()


def _unpickle(plain: type[nn.Module]) -> nn.Module:
    cls = lean_class(plain)
    return cls.__new__(cls)


class LeanConvNormAct(Lean, ConvNormAct):
    """A convolution outside of a block: the stem, the 1×1 head, projections of a BiFPN."""

    plain_class = ConvNormAct

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) → (N, C_out, ⌈H ÷ stride⌉, ⌈W ÷ stride⌉)."""
        return run_chain(self.lean, self.sequence(), x)


class LeanMBConv(Lean, MBConv):
    """MBConv as one chain from its input to the projection."""

    plain_class = MBConv

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) → (N, C_out, ⌈H ÷ s⌉, ⌈W ÷ s⌉)."""
        layers = (self.expand_conv, self.depthwise_conv, self.se, self.linear_conv)
        out = run_chain(self.lean, layers, x)
        return x + self.drop_path(out) if self.has_shortcut else out


class LeanFusedMBConv(Lean, FusedMBConv):
    """FusedMBConv as one chain from its input to the projection."""

    plain_class = FusedMBConv

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) → (N, C_out, ⌈H ÷ s⌉, ⌈W ÷ s⌉)."""
        out = run_chain(self.lean, (self.conv1, self.se, self.conv2), x)
        return x + self.drop_path(out) if self.has_shortcut else out


class LeanBiFPNNode(Lean, BiFPNNode):
    """The weighted sum, activation and convolution of a node as one chain."""

    plain_class = BiFPNNode

    def forward(self, *inputs: Tensor) -> Tensor:
        """(N, in_channels[i], H_i, W_i) → (N, out_channels, H_0, W_0), the first input's size."""
        features = [project(x) for project, x in zip(self.projections, inputs, strict=True)]
        return run_chain(self.lean, (self.fuse, self.act, self.conv), *features)


class LeanEfficientDetHead(Lean, EfficientDetHead):
    """Each of the two nets as one chain per level."""

    plain_class = EfficientDetHead

    def _run(
        self,
        convs: nn.ModuleList,
        norms: nn.ModuleList,
        predict: SeparableConv,
        level: int,
        x: Tensor,
    ) -> Tensor:
        layers: list[nn.Module] = []
        for conv, by_level in zip(convs, norms, strict=True):
            layers += [conv, cast(nn.ModuleList, by_level)[level], self.act]
        return run_chain(self.lean, [*layers, predict], x)


class LeanBiFPNSegHead(Lean, BiFPNSegHead):
    """All convolutions before the prediction as one chain."""

    plain_class = BiFPNSegHead

    def _run(self, x: Tensor) -> Tensor:
        return run_chain(self.lean, [m for conv in self.convs for m in (conv, self.act)], x)


LEAN_CLASSES: dict[type[nn.Module], Any] = {
    lean.plain_class: lean
    for lean in (
        LeanConvNormAct,
        LeanMBConv,
        LeanFusedMBConv,
        LeanBiFPNNode,
        LeanEfficientDetHead,
        LeanBiFPNSegHead,
    )
}
# Blocks whose convolutions run as part of the block's chain.
BLOCKS = (MBConv, FusedMBConv)


def lean_class(plain: type[nn.Module]) -> Any:
    """Return the lean class of a plain one.

    A subclass keeps what it overrides: the lean class of its base is inserted between the two.
    """
    if plain not in LEAN_CLASSES:
        base = next(lean for cls, lean in LEAN_CLASSES.items() if issubclass(plain, cls))
        members = dict(plain_class=plain, __module__=plain.__module__, __doc__=plain.__doc__)
        LEAN_CLASSES[plain] = type(f'Lean{plain.__name__}', (plain, base), members)
    return LEAN_CLASSES[plain]


def _modules_to_exchange(module: nn.Module) -> list[Any]:
    """List the modules whose class is replaced, without those inside a block."""
    found: list[Any] = [module] if isinstance(module, tuple(LEAN_CLASSES)) else []
    if isinstance(module, BLOCKS):
        return found
    return found + [inner for child in module.children() for inner in _modules_to_exchange(child)]
