"""`reduced_decoding = True` of a config: small JPEG images for the training."""

from __future__ import annotations

from collections.abc import Iterable

from mmdet.engine.hooks import PipelineSwitchHook
from mmengine.hooks import Hook

from effnet_dense.data.reduced_loading import reduce_decoding


def use_reduced_decoding(dataset: object, hooks: Iterable[Hook]) -> None:
    """Change a training's dataset: see `reduce_decoding`.

    Args:
        dataset: Built; changed in place.
        hooks: Of the run.

    Raises:
        ValueError: No pipeline can be changed, or a hook would put another in its place.
    """
    if any(isinstance(hook, PipelineSwitchHook) for hook in hooks):
        raise ValueError(
            'reduced_decoding: PipelineSwitchHook builds another pipeline during the training, '
            'whose images would be decoded in full: leave one of the two out'
        )
    if not reduce_decoding(dataset):
        raise ValueError(
            'reduced_decoding: expected a training pipeline of effnet_dense.LoadImageFromFile (in '
            'colour or grey, by cv2), annotations, then Resize, RandomResize or RandomChoiceResize '
            '(bilinear, by cv2): leave it out'
        )
