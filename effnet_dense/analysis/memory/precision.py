"""Reproduce the precisions of training, and a GPU's autocast, on the CPU."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only

# Precision → dtype of autocast; None for no autocast.
PRECISIONS = {'fp32': None, 'bf16': torch.bfloat16, 'fp16': torch.float16}

# Operators that a GPU runs in float32 (AT_FORALL_FP32 in ATen/autocast_mode.h), by the names of
# the functions of torch, torch.nn.functional and Tensor that call them. The operators of lower
# precision are the same on both devices: matrix products and convolutions.
FLOAT32 = {
    *('acos', 'asin', 'cosh', 'erfinv', 'exp', 'expm1', 'log', 'log10', 'log2', 'log1p'),
    *('reciprocal', 'rsqrt', 'sinh', 'tan', 'pow', '__pow__', '__rpow__', 'softplus'),
    *('layer_norm', 'rms_norm', 'group_norm', 'norm', 'cosine_similarity', 'cdist', 'pdist'),
    *('cross_entropy', 'nll_loss', 'kl_div', 'l1_loss', 'smooth_l1_loss', 'huber_loss'),
    *('mse_loss', 'binary_cross_entropy_with_logits', 'poisson_nll_loss', 'dist', 'renorm'),
    *('soft_margin_loss', 'margin_ranking_loss', 'triplet_margin_loss', 'hinge_embedding_loss'),
    *('multi_margin_loss', 'multilabel_margin_loss', 'cosine_embedding_loss', 'logsumexp'),
    *('interpolate', 'upsample'),
}
# AT_FORALL_FP32_SET_OPT_DTYPE: the result is float32, without a float32 copy of the input.
FLOAT32_RESULT = {'prod', 'softmax', 'log_softmax', 'cumprod', 'cumsum', 'sum'}


def check_precision(precision: str) -> None:
    """Raise a ValueError for an unknown precision."""
    if precision not in PRECISIONS:
        raise ValueError(f'precision must be one of {list(PRECISIONS)}, got {precision!r}')


def config_precision(config: Config) -> str:
    """Return the precision in which a config trains on a GPU."""
    wrapper = config.optim_wrapper
    if wrapper.get('type') != 'AmpOptimWrapper':
        return 'fp32'
    return 'bf16' if wrapper.get('dtype') == 'bfloat16' else 'fp16'


def autocast(precision: str) -> AbstractContextManager:
    """Return the context of the forward pass."""
    dtype = PRECISIONS[precision]
    return nullcontext() if dtype is None else torch.autocast('cpu', dtype)


class GPUAutocast(TorchFunctionMode):
    """Inside autocast, run in float32 what a GPU runs in float32."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict | None = None
    ) -> Any:
        """Call one function."""
        kwargs = kwargs or {}
        name = getattr(func, '__name__', '')
        if torch.is_autocast_enabled('cpu'):
            if name in FLOAT32:
                args, kwargs = tree_map_only(Tensor, _as_float32, (args, kwargs))
            elif name in FLOAT32_RESULT and _is_low(args[0]) and kwargs.get('dtype') is None:
                kwargs = {**kwargs, 'dtype': torch.float32}
        return func(*args, **kwargs)


def _is_low(x: Any) -> bool:
    return isinstance(x, Tensor) and x.dtype in (torch.bfloat16, torch.float16)


def _as_float32(x: Tensor) -> Tensor:
    return x.float() if _is_low(x) else x
