"""mmdet's data preprocessor for images of other than three channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.data_preprocessors import DetDataPreprocessor as MmdetDataPreprocessor

from effnet_dense.registry import MODELS


@MODELS.register_module()
class DetDataPreprocessor(MmdetDataPreprocessor):
    """mmdet's `DetDataPreprocessor` with a mean and a standard deviation for each channel.

    mmengine accepts one or three of both, and its exchange of red and blue drops further bands;
    here only images of three channels have it.

    Args:
        mean: One number per channel; None leaves images as they are.
        std: As many.
        bgr_to_rgb: Exchange red and blue, of three channels.
        rgb_to_bgr: The same.
        kwargs: mmdet's.

    Raises:
        ValueError: The numbers of both differ.
    """

    def __init__(
        self,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        bgr_to_rgb: bool = False,
        rgb_to_bgr: bool = False,
        **kwargs: Any,
    ) -> None:
        if (None if mean is None else len(mean)) != (None if std is None else len(std)):
            raise ValueError(f'expected mean and std of equal length, got {mean} and {std}')
        exchange = mean is None or len(mean) == 3
        super().__init__(
            bgr_to_rgb=bgr_to_rgb and exchange, rgb_to_bgr=rgb_to_bgr and exchange, **kwargs
        )
        if mean is not None and std is not None:
            self._enable_normalize = True
            self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1), False)
            self.register_buffer('std', torch.tensor(std).view(-1, 1, 1), False)
