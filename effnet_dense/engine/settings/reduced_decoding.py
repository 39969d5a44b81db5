"""`--reduced-decoding`: decode JPEG images of the training as small as possible."""

from __future__ import annotations

from mmengine.config import Config


def set_reduced_decoding(config: Config, on: bool) -> None:
    """Decode as `effnet_dense.engine.reduced_decoding` does, which the runner calls.

    Args:
        config: Changed in place.
        on: False leaves the config's own choice.
    """
    if on:
        config.reduced_decoding = True
