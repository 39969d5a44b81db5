"""Convert modules to LiteRT's files (.tflite).

Shapes: N images of H × W pixels.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from effnet_dense.deployment.deploy import FixedFusion
from effnet_dense.exporting.dense import Dense
from effnet_dense.exporting.raw_outputs import largest_difference
from effnet_dense.models.bifpn import Fusion, resample
from effnet_dense.runtimes.inputs import IMAGES
from effnet_dense.runtimes.litert_session import litert_runner

NEEDED = (
    'exporting to LiteRT needs litert-torch and ai-edge-quantizer, which take an environment of '
    'their own: bash tools/environment.sh litert'
)

MOST = 1e-3
"""Difference of a file's outputs from PyTorch's, as a share of their largest value."""


class LitertParts(NamedTuple):
    """A model in LiteRT's format; see `maker.Parts`.

    Attributes:
        network: The content of a file without metadata.
        outputs: Names of the outputs.
        details: Further fields of the metadata.
        batch: Images that the file takes.
        tail: None: what follows the network is no part of the file.
    """

    network: bytes
    outputs: Sequence[str]
    details: dict[str, Any]
    batch: int = 1
    tail: None = None

    def joined(self) -> bytes:
        """Return the network."""
        return self.network


class PlainFusion(FixedFusion):
    """`FixedFusion` of operators that the converter has, and converts rightly.

    It has no sums of products as one operator, and takes an odd number of pixels from other places
    than PyTorch: twice as many, of which the last is cut off, are the same as PyTorch's.
    """

    def forward(self, *features: Tensor) -> Tensor:
        height, width = features[0].shape[-2:]
        first, *shares = self.shares or [1.0] * len(features)
        total = _scaled(features[0], first)
        for x, share in zip(features[1:], shares, strict=True):
            coarser = x.shape[-2] < height or x.shape[-1] < width
            size = (2 * x.shape[-2], 2 * x.shape[-1]) if coarser else (height, width)
            resized = resample(x, size, self.padding)[..., :height, :width]
            total = total + _scaled(resized, share)
        return total


def _scaled(x: Tensor, share: float) -> Tensor:
    return x if share == 1 else x * share


def use_plain_fusions(module: nn.Module) -> None:
    """Replace every `FixedFusion` within a module, and `Fusion` without weights."""
    for parent in module.modules():
        for name, child in parent.named_children():
            if type(child) is Fusion and child.edge_weights is None:
                setattr(parent, name, PlainFusion([], child.padding).eval())
            elif type(child) is FixedFusion:
                setattr(parent, name, PlainFusion(child.shares, child.padding).eval())


class _ChannelsLast(nn.Module):
    """A module with maps (N, h, w, D) as input and output, and names of its outputs."""

    def __init__(self, dense: Dense) -> None:
        super().__init__()
        self.module = dense.module
        self.names = dense.outputs

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        found = self.module(images.permute(0, 3, 1, 2))
        values = (found,) if isinstance(found, Tensor) else found
        moved = (value.permute(0, 2, 3, 1) if value.ndim == 4 else value for value in values)
        return dict(zip(self.names, moved, strict=True))


def to_litert(dense: Dense, images: Tensor) -> bytes:
    """Convert a module; the file's input is `IMAGES` (N, H, W, C).

    Args:
        dense: The module, and the names of its outputs.
        images: Examples, (N, C, H, W); the file takes as many.

    Raises:
        ImportError: See `import_converter`.
        ValueError: It cannot be converted; the message has the converter's reason.
    """
    converter = import_converter()
    module = _ChannelsLast(dense).eval()
    use_plain_fusions(module)
    example = images.permute(0, 2, 3, 1).contiguous()
    try:
        with warnings.catch_warnings(), torch.no_grad(), _quiet():
            warnings.simplefilter('ignore')
            found = converter.convert(module, sample_kwargs={IMAGES: example})
            return bytes(found.model_content())
    except ImportError:
        raise
    except Exception as error:  # whatever torch.export or the converter raises
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ValueError(f'LiteRT cannot convert this model: {reason:.300}') from error


def check_outputs(content: bytes, dense: Dense, images: Tensor) -> None:
    """Compare a converted file with its module on noise.

    So is known what the converter changes in silence: resizing by the nearest pixel, where a side
    is no multiple of the other.

    Args:
        content: The file.
        dense: What it was converted from.
        images: Of the shape that it takes.

    Raises:
        ValueError: The outputs differ by more than rounding.
    """
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    found = litert_runner(content)(noise.numpy())
    with torch.no_grad():
        values = dense.module(noise)
    values = (values,) if isinstance(values, Tensor) else values
    expected = dict(zip(dense.outputs, values, strict=True))
    for name, value in expected.items():
        difference = largest_difference([found[name]], [value.numpy()])
        if not difference < MOST:
            height, width = images.shape[2:]
            raise ValueError(
                f'LiteRT gives other {name} than PyTorch, by {difference:.1%}, at {height} × '
                f'{width} pixels: choose a size that is a multiple of the coarsest stride (--size)'
            )


def import_converter() -> Any:
    """Import litert-torch.

    Raises:
        ImportError: It is not installed.
    """
    try:
        with _quiet():
            import litert_torch
    except ImportError as error:
        raise ImportError(NEEDED) from error
    return litert_torch


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the converter's report of its steps."""
    try:
        from litert_torch import progress
    except ImportError:
        yield
        return
    before = progress.console.quiet
    progress.console.quiet = True
    try:
        yield
    finally:
        progress.console.quiet = before
