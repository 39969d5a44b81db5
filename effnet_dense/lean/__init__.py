import effnet_dense.models  # noqa: F401 (until the networks no longer import this room)
