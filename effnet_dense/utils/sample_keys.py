"""Keys of samples in pipelines, besides those of mmdet and mmseg."""

KEEP_EMPTY = 'keep_without_objects'
"""The image has no objects and is to be trained on: see `effnet_dense.compat.empty_images`."""
