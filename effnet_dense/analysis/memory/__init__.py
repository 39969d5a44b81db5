"""Predict how much GPU memory training takes, without a GPU."""

from effnet_dense.analysis.memory.peak import (
    Peak,
    TrainingSetup,
    largest_batch,
    predict_peak,
    training_setup,
)

__all__ = ['Peak', 'TrainingSetup', 'largest_batch', 'predict_peak', 'training_setup']
