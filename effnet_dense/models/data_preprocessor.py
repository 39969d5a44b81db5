"""mmdet's and mmseg's data preprocessors for images of other than three channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.data_preprocessors import DetDataPreprocessor as MmdetDataPreprocessor
from mmengine.model import ImgDataPreprocessor
from mmseg.models import SegDataPreProcessor as MmsegDataPreProcessor
from torch import nn

from effnet_dense.registry import MODELS

MMSEG_TAKES_BANDS = not issubclass(MmsegDataPreProcessor, ImgDataPreprocessor)
"""OneDL's is derived from mmengine's, which accepts one or three values of mean and std."""


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
        _check_lengths(mean, std)
        exchange = mean is None or len(mean) == 3
        super().__init__(
            bgr_to_rgb=bgr_to_rgb and exchange, rgb_to_bgr=rgb_to_bgr and exchange, **kwargs
        )
        _normalise_by(self, mean, std)


@MODELS.register_module()
class SegDataPreProcessor(MmsegDataPreProcessor):
    """mmseg's `SegDataPreProcessor` with a mean and a standard deviation for each channel.

    mmseg's own accepts them; OneDL's does not. Red and blue are exchanged in images of three
    channels only.

    Args:
        mean: One number per channel; None leaves images as they are.
        std: As many.
        kwargs: mmseg's.

    Raises:
        ValueError: The numbers of both differ.
    """

    def __init__(
        self, mean: Sequence[float] | None = None, std: Sequence[float] | None = None, **kwargs: Any
    ) -> None:
        _check_lengths(mean, std)
        super().__init__(**kwargs)
        _normalise_by(self, mean, std)


def _check_lengths(mean: Sequence[float] | None, std: Sequence[float] | None) -> None:
    if (None if mean is None else len(mean)) != (None if std is None else len(std)):
        raise ValueError(f'expected mean and std of equal length, got {mean} and {std}')


def _normalise_by(
    preprocessor: nn.Module, mean: Sequence[float] | None, std: Sequence[float] | None
) -> None:
    if mean is not None and std is not None:
        preprocessor._enable_normalize = True  # type: ignore[assignment]
        preprocessor.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1), False)
        preprocessor.register_buffer('std', torch.tensor(std).view(-1, 1, 1), False)
