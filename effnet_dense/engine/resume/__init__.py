"""Resume interrupted runs exactly: checkpoint files, data position and random states."""

from effnet_dense.engine.resume.batches import BatchStream, images_per_iteration, remaining_batches
from effnet_dense.engine.resume.checkpoints import (
    find_complete_checkpoint,
    last_checkpoint,
    read_training_state,
)
from effnet_dense.engine.resume.progress import Position, gather_progress, set_random_state
from effnet_dense.engine.resume.restore import restore_progress

__all__ = [
    'BatchStream',
    'Position',
    'find_complete_checkpoint',
    'gather_progress',
    'images_per_iteration',
    'last_checkpoint',
    'read_training_state',
    'remaining_batches',
    'restore_progress',
    'set_random_state',
]
