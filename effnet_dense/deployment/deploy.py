"""A copy of a model for inference: norms folded into convolutions, constants computed once.

Shapes: N images, C channels, H × W pixels.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from mmcv.cnn import Conv2d as MMCVConv2d
from mmcv.cnn import ConvModule
from mmcv.cnn.bricks.conv2d_adaptive_padding import Conv2dAdaptivePadding
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils._pytree import tree_leaves

from effnet_dense import lean
from effnet_dense.deployment.fused_mbconv import fuse_mbconvs
from effnet_dense.deployment.inplace_se import InplaceSqueezeExcite
from effnet_dense.models.bifpn import BiFPNNode, Fusion, fusion_shares, resample
from effnet_dense.models.bifpn_seg_head import BiFPNSegHead
from effnet_dense.models.blocks import FusedMBConv, MBConv
from effnet_dense.models.efficientdet_head import EfficientDetHead
from effnet_dense.models.layers import (
    Conv2dSame,
    ConvNormAct,
    DepthwiseConv2d,
    SeparableConv,
    SqueezeExcite,
)
from effnet_dense.utils.modules import has_hooks, runs_as

# Convolutions that use `weight` unchanged. ConvWS2d, for example, standardises it in every pass.
PLAIN_CONVS = (nn.Conv2d, Conv2dSame, DepthwiseConv2d, MMCVConv2d, Conv2dAdaptivePadding)
# Parts of a detector or segmentor that map tensors to tensors.
TENSOR_PARTS = ('backbone', 'neck', 'rpn_head', 'bbox_head', 'decode_head')


def deploy(model: nn.Module, compile: bool = False) -> nn.Module:
    """Copy a model and prepare it for inference; results agree to 1e-5 of the largest value.

    Batch norms (including SyncBN) are folded into the convolution before them, in this package's
    modules and in mmcv's ConvModule; elsewhere the order of execution is unknown, so they stay. So
    do other norms. BiFPN's fusion weights become constants. On CPUs with a C++ compiler an MBConv
    with SiLU up to its projection is one operator, `fused_depthwise`, which takes a few seconds to
    compile, once per machine. Drop path is removed, and parameters do not require gradients. On
    CPUs channels-last is faster. A subclass that overrides the order of its layers is left
    unchanged.

    Args:
        model: A backbone, neck, head, classifier, detector or segmentor; it is not changed.
        compile: Compile it with torch.compile (inductor) and frozen weights. The first forward
            pass at an image size takes a minute. In a detector or segmentor, backbone, neck and
            dense heads are compiled, but not what comes before and after them.

    Returns:
        A model of the same class, in eval mode. Its state dict has other keys.

    Raises:
        ValueError: `model` is not a module.
        FileNotFoundError: `compile` is set and there is no C++ compiler.
    """
    model = folded(model)
    for block in model.modules():
        if runs_as(block, MBConv, FusedMBConv):
            _attend_in_place(block)
    fuse_mbconvs(model)
    if compile:
        _compile(model)
    return model.eval()  # for the new modules


def folded(model: nn.Module) -> nn.Module:
    """Copy a model, fold its norms and constants, and use no operators of this package's own.

    Args:
        model: As `deploy` takes it; it is not changed.

    Raises:
        ValueError: `model` is not a module.
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f'deploy expects a torch.nn.Module, got {type(model).__name__}')
    with torch.inference_mode(False):  # tensors of inference mode have no version counter
        model = copy.deepcopy(model).eval().requires_grad_(False)
        lean.remove(model)
        # From the leaves up: what a block can fuse depends on which of its norms were folded.
        for module in reversed(list(model.modules())):
            _prepare(module)
    return model.eval()


def _prepare(module: Any) -> None:
    if isinstance(module, ConvModule):
        _fold_conv_module(module)
    elif runs_as(module, ConvNormAct):
        _fold_norm(module, 'conv')
        _activate_in_place(module)
    elif runs_as(module, SeparableConv):
        _fold_norm(module, 'pointwise')
    elif runs_as(module, MBConv, FusedMBConv):
        module.drop_path = nn.Identity()
    elif runs_as(module, BiFPNNode):
        _freeze_fusion_weights(module)
        _activate_in_place(module)
    elif runs_as(module, EfficientDetHead):
        _fold_norms_by_level(module.cls_convs, module.cls_norms)
        _fold_norms_by_level(module.reg_convs, module.reg_norms)
        _activate_in_place(module)
    elif runs_as(module, BiFPNSegHead):
        _activate_in_place(module)


def _activate_in_place(module: Any) -> None:
    """Let the activation overwrite the output of the convolution, norm or sum before it."""
    if hasattr(module.act, 'inplace'):
        module.act.inplace = True


def _can_fold(conv: Any, norm: Any) -> bool:
    """Whether a norm scales and shifts by constants, and the convolution uses its own weight."""
    return (
        isinstance(norm, _BatchNorm)
        and norm.running_mean is not None
        and type(conv) in PLAIN_CONVS
        and not conv._forward_pre_hooks  # spectral norm computes the weight in one
    )


def _fold_norm(module: Any, conv_name: str) -> None:
    """Fold a module's norm into a copy of its convolution, which other modules may share."""
    conv = getattr(module, conv_name)
    norm: Any = None if module.norm_name is None else getattr(module, module.norm_name)
    if _can_fold(conv, norm):
        setattr(module, conv_name, fuse_conv_bn_eval(conv, norm))
        delattr(module, module.norm_name)
        module.norm_name = None


def _fold_conv_module(module: ConvModule) -> None:
    adjacent = module.order.index('norm') == module.order.index('conv') + 1
    # A subclass may run its layers in another order.
    if adjacent and type(module) is ConvModule:
        _fold_norm(module, 'conv')
        module.with_norm = module.norm_name is not None


def _fold_norms_by_level(convs: Any, norms: Any) -> None:
    """Replace each level's norm by its own pointwise convolution."""
    for conv, by_level in zip(convs, norms, strict=True):
        if all(_can_fold(conv.pointwise, norm) for norm in by_level):
            for level, norm in enumerate(by_level):
                by_level[level] = fuse_conv_bn_eval(conv.pointwise, norm)
            conv.pointwise = nn.Identity()


def _attend_in_place(block: Any) -> None:
    se = block.se
    if not runs_as(se, SqueezeExcite):
        return
    if not any(has_hooks(m) for m in (se, se.conv1, se.conv1.conv, se.conv2, se.conv2.conv)):
        block.se = InplaceSqueezeExcite(se)


def _freeze_fusion_weights(node: Any) -> None:
    fuse = node.fuse
    if isinstance(fuse, Fusion) and fuse.edge_weights is not None:
        (shares,) = fusion_shares([fuse.edge_weights], fuse.fusion)
        node.fuse = FixedFusion([share.item() for share in shares], fuse.padding)


class FixedFusion(nn.Module):
    """`Fusion` with constant weights."""

    def __init__(self, shares: list[float], padding: str) -> None:
        super().__init__()
        self.shares = shares
        self.padding = padding

    def forward(self, *features: Tensor) -> Tensor:
        """(N, C, H, W), and neighbours of other sizes → (N, C, H, W)."""
        height, width = features[0].shape[-2:]
        total = features[0] * self.shares[0]
        for x, share in zip(features[1:], self.shares[1:], strict=True):
            total.add_(resample(x, (height, width), self.padding), alpha=share)
        return total


def _compile(model: nn.Module) -> None:
    _check_compiler()
    for part in tensor_parts(model).values():
        part.forward = _compiled(part.forward)


def tensor_parts(model: nn.Module) -> dict[str, Any]:
    """Return the parts of a detector or segmentor that map tensors to tensors, or the model.

    Of a DETR and of Mask2Former these are backbone and neck: what follows has inputs of its own.
    """
    queries = hasattr(getattr(model, 'decode_head', None), 'query_embed')
    names = TENSOR_PARTS[:2] if queries or hasattr(model, 'forward_transformer') else TENSOR_PARTS
    parts = {name: getattr(model, name, None) for name in names}
    found = {name: part for name, part in parts.items() if isinstance(part, nn.Module)}
    return found or {'model': model}


def _compiled(forward: Callable[..., Any]) -> Callable[..., Any]:
    from torch._inductor import config

    compiled = torch.compile(forward)
    first: list[torch.Size] = []

    def run(*inputs: Any) -> Any:
        tensors = [leaf for leaf in tree_leaves(inputs) if isinstance(leaf, Tensor)]
        sizes = [x.shape for x in tensors]
        first[:] = first or sizes
        if sizes == first:
            # For a second size torch.compile builds a graph for any size, a tenth slower. Sizes of
            # other models count as well: they share the code of `forward`.
            for x in tensors:
                torch._dynamo.mark_static(x)
        # Not by torch.compile's `options`, which come too late: freezing is decided when the graph
        # is captured, at the first call, and requires a pass without gradients.
        with torch.no_grad(), config.patch(freezing=True):
            return compiled(*inputs)

    return run


def _check_compiler() -> None:
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler as error:
        raise FileNotFoundError(
            'compiling a model needs a C++ compiler, and none was found: install g++, or name one '
            'in the environment variable CXX'
        ) from error
