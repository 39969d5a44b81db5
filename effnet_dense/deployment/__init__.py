"""Preparation of trained networks for inference.

`deploy` folds norms, joins operators and optionally compiles; the networks do not depend on it.
"""

from effnet_dense.deployment.deploy import deploy, tensor_parts

__all__ = ['deploy', 'tensor_parts']
