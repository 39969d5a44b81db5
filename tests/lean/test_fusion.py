"""BiFPN's weighted sum: the bits of the plain one, and nothing saved besides its inputs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from effnet_dense.lean.feature import Feature
from effnet_dense.lean.fusion import fuse
from effnet_dense.models.bifpn import Fusion
from tests.reference.saved_bytes import saved_bytes

# Height and width of the inputs; the level's own is first. Odd ones, and one that is pooled twice.
SIZES = {
    'coarser': ((8, 12), (4, 6)),
    'finer': ((4, 6), (4, 6), (8, 12)),
    'odd': ((5, 7), (3, 4), (9, 13)),
    'resized after pooling': ((3, 3), (8, 8)),
}


def inputs(name: str) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 4, *size, generator=generator).requires_grad_() for size in SIZES[name]]


def fusion(count: int, kind: str, padding: str) -> Fusion:
    found = Fusion(count, kind, padding)
    if found.edge_weights is not None:
        nn.init.normal_(found.edge_weights, generator=torch.Generator().manual_seed(1))
    return found


@pytest.mark.parametrize('padding', ['same', 'symmetric'])
@pytest.mark.parametrize('kind', ['fast', 'softmax', 'sum'])
@pytest.mark.parametrize('name', SIZES)
def test_bits(name: str, kind: str, padding: str) -> None:
    found = []
    for leanly in (False, True):
        x = inputs(name)
        module = fusion(len(x), kind, padding)
        feature = fuse(module, Feature(x[0]), [], 1, *x[1:]) if leanly else None
        out = module(*x) if feature is None else feature.through(torch.sin)
        out = out.sin() if feature is None else out
        out.backward(torch.arange(out.numel()).view_as(out).float())
        found.append([out, *(leaf.grad for leaf in (*x, *module.parameters()))])
    for own, right in zip(*found, strict=True):
        assert torch.equal(own, right)


def test_only_the_inputs_are_saved() -> None:
    class Sine(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fusion = fusion(3, 'fast', 'same')
            self.others = inputs('finer')[1:]

        def forward(self, x: Tensor) -> Tensor:
            return fuse(self.fusion, Feature(x), [], 1, *self.others).through(torch.sin)

    # Of three weights: their ReLU, sum and shares.
    assert saved_bytes(Sine(), inputs('finer')[0])[1] == (3 + 1 + 3) * 4
