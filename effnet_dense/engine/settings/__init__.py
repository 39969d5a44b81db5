"""Write settings such as epochs and image size into all places of a config that belong together."""

from effnet_dense.engine.settings.apply import set_after_data, set_before_data

__all__ = ['set_after_data', 'set_before_data']
