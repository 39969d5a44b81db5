"""Compare the table of names with a peer's state dict."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from effnet_dense.hub import create_classifier
from effnet_dense.scaling import architecture
from effnet_dense.weights import name_table
from tests.helpers import peers


def check_names(peer: nn.Module, name: str, arch: str) -> None:
    """Assert that every tensor of a peer has a counterpart of its shape in ours, and vice versa."""
    theirs, ours = shapes(peer.state_dict()), our_shapes(arch)
    if name == 'mmdet':  # a backbone only
        theirs = {f'backbone.{key}': shape for key, shape in theirs.items()}
        ours = {key: shape for key, shape in ours.items() if key.startswith('backbone.')}
    if name == 'effdet':  # the table covers its backbone, which has no 1×1 head
        theirs = {key: shape for key, shape in theirs.items() if key.startswith('backbone.')}
        ours = {key: s for key, s in ours.items() if not key.startswith(('backbone.layers.6', 'h'))}
    table = name_table(architecture(arch), peers.FORMAT[name])
    assert {table[key]: shape for key, shape in ours.items()} == theirs


def shapes(state: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Shapes of a state dict's tensors."""
    return {key: tuple(tensor.shape) for key, tensor in state.items()}


@functools.cache
def our_shapes(arch: str) -> dict[str, tuple[int, ...]]:
    """Those of our classifier."""
    with torch.device('meta'):
        return shapes(create_classifier(arch).state_dict())
