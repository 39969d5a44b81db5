"""Lean training: save less for the backward pass, with bit-identical gradients.

Autograd saves three copies of the feature between two convolutions: the input of the batch norm, of
the activation and of the next convolution. The last two follow from the first by two cheap
operations, and are computed again when the backward pass asks for them.

`apply` changes a network in place, when it is built or later, by replacing the classes of its
modules with lean ones that run the same layers; `remove` restores the plain classes. Names,
parameters and buffers stay.

=================  =================================================================
`modules`          the lean classes, and how they replace the plain ones
`chain`            a sequence of layers: leanly or plainly
`layers`           how each kind of layer runs, and whose output is saved
`feature`          what autograd saves: a feature, or how to compute it again
`norm`, `gate`     batch norm, and channel attention with the projection after it
`fusion`           the weighted sum of a BiFPN's node
=================  =================================================================
"""

from effnet_dense.lean.modules import LEVELS, apply, remove

__all__ = ['LEVELS', 'apply', 'remove']
