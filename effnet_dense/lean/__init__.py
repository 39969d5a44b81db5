"""Lean training: save less for the backward pass, with the same gradients to the bit.

Autograd saves three copies of the feature between two convolutions: the input of the batch norm, of
the activation and of the next convolution. The last two are two cheap operations away from the
first, and are computed again instead.

`apply` changes a network in place, when it is built or later, by exchanging the classes of its
modules for ones that run the same layers leanly; `remove` restores the plain classes. Names,
parameters and buffers stay.

=================  =================================================================
`modules`          the lean classes, and how they take the place of the plain ones
`chain`            a sequence of layers, cut into segments after saved outputs
`recompute`        the autograd function of a segment: forward, and forward again
`backward`         the second forward pass, layer by layer, and its gradients
`batch_norm`       batch norm that computes its statistics once
`gated`            channel attention and the projection after it as one layer
=================  =================================================================
"""

from effnet_dense.lean.chain import LEVELS
from effnet_dense.lean.modules import apply, remove

__all__ = ['LEVELS', 'apply', 'remove']
