"""Check models and settings before a run starts."""

from effnet_dense.engine.checks.batch_size import batch_size_warning, images_per_step
from effnet_dense.engine.checks.channels import check_channels

__all__ = ['batch_size_warning', 'check_channels', 'images_per_step']
