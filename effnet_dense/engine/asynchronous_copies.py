"""Copy batches to a GPU from pinned memory, without waiting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmdet.models.data_preprocessors import DetDataPreprocessor as MmdetDataPreprocessor
from mmengine.structures import BaseDataElement
from mmseg.models import SegDataPreProcessor as MmsegDataPreProcessor
from torch import Tensor, nn

from effnet_dense.models.data_preprocessor import DetDataPreprocessor, SegDataPreProcessor

EXCHANGE = {
    MmdetDataPreprocessor: '_channel_conversion',
    DetDataPreprocessor: '_channel_conversion',
    MmsegDataPreProcessor: 'channel_conversion',
    SegDataPreProcessor: 'channel_conversion',
}
"""Data preprocessors and the attribute by which they exchange red and blue."""


def with_pinned_memory(loader: Any, device: str) -> Any:
    """Request pinned memory in a data loader of a config, which is not changed.

    The loader's own thread copies each batch into it.

    Args:
        loader: A dictionary; anything else is returned unchanged.
        device: Type of the run's device; others than 'cuda' leave the loader as it is.
    """
    if device != 'cuda' or not isinstance(loader, Mapping) or 'pin_memory' in loader:
        return loader
    if not hasattr(BaseDataElement, 'pin_memory'):
        BaseDataElement.pin_memory = _pin  # torch's loader asks for it by this name
    return {**loader, 'pin_memory': True}


def _pin(element: BaseDataElement) -> BaseDataElement:
    """Return a copy of mmengine's ground truth in pinned memory, masks in arrays as they are."""
    pinned = element.new()
    for name, value in element.items():
        if hasattr(value, 'pin_memory'):
            pinned.set_data({name: value.pin_memory()})
    return pinned


def copy_asynchronously(model: nn.Module, device: str) -> None:
    """Let a model's data preprocessor copy batches to a GPU without waiting.

    Args:
        model: Changed in place, if it has one of mmengine's data preprocessors.
        device: Type of the run's device; nothing is changed for others than 'cuda'.
    """
    preprocessor: Any = getattr(model, 'data_preprocessor', None)
    if device != 'cuda' or not hasattr(preprocessor, '_non_blocking'):
        return
    preprocessor._non_blocking = True
    name = EXCHANGE.get(type(preprocessor))
    if name is not None and getattr(preprocessor, name, False):
        # mmdet and mmseg index by [2, 1, 0], which they copy to the GPU for each image.
        setattr(preprocessor, name, False)
        preprocessor.register_forward_pre_hook(_exchange_red_and_blue)


def _exchange_red_and_blue(preprocessor: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Copy a batch to the device, and reverse the channels of its images (3, H, W)."""
    data = preprocessor.cast_data(inputs[0])
    images = data['inputs']
    if isinstance(images, Tensor):
        images = _reversed(images)
    else:
        images = type(images)(_reversed(image) for image in images)
    return {**data, 'inputs': images}, *inputs[1:]


def _reversed(images: Tensor) -> Tensor:
    """Reverse three channels of (…, C, H, W)."""
    return images.flip(-3) if images.shape[-3] == 3 else images
