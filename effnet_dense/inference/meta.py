"""Classes of a model; see `effnet_dense.data.model_classes`."""

from effnet_dense.data.model_classes import (
    Meta,
    checkpoint_meta,
    config_meta,
    model_for,
    test_dataset,
)

__all__ = ['Meta', 'checkpoint_meta', 'config_meta', 'model_for', 'test_dataset']
