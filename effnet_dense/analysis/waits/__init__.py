"""List what makes the host wait for the GPU in a training step, without a GPU."""

from effnet_dense.analysis.waits.listing import Step, list_waits, record_step
from effnet_dense.analysis.waits.recorder import Wait

__all__ = ['Step', 'Wait', 'list_waits', 'record_step']
