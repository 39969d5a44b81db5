"""A trained network → one for inference: norms folded, activations joined, optionally compiled."""

from effnet_dense.deployment.deploy import deploy

__all__ = ['deploy']
