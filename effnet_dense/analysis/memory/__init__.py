"""How much memory training takes on a GPU, without one."""

from effnet_dense.analysis.memory.predict import (
    Peak,
    Setting,
    largest_batch,
    predict_peak,
    setting_of,
)

__all__ = ['Peak', 'Setting', 'largest_batch', 'predict_peak', 'setting_of']
