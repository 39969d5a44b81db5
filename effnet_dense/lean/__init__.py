"""Lean training: save less for the backward pass, with bit-identical gradients.

Autograd saves three copies of the feature between two convolutions: the input of the batch norm, of
the activation and of the next convolution. The last two follow from the first by two cheap
operations, and are recomputed instead.

`apply` changes a network in place, when it is built or later, by replacing the classes of its
modules with lean ones that run the same layers; `remove` restores the plain classes. Names,
parameters and buffers stay.

=================  =================================================================
`modules`          the lean classes, and how they replace the plain ones
`chain`            a sequence of layers, cut into segments after saved outputs
`recompute`        the autograd function that runs a segment, and again in backward
`backward`         the second forward pass, layer by layer, and its gradients
`batch_norm`       batch norm that computes its statistics once
`gated`            channel attention and the projection after it as one layer
=================  =================================================================
"""

from effnet_dense.lean.chain import LEVELS
from effnet_dense.lean.modules import apply, remove

__all__ = ['LEVELS', 'apply', 'remove']
