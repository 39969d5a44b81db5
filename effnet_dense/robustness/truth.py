"""The loss of a model in eval mode against the ground truth of test samples, and its gradient.

Shapes: inputs (N, 3, h, w), with padding at the right and at the bottom.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor

IGNORED = 255
"""mmseg's default label of pixels that count for nothing."""
FAILURES = (AttributeError, TypeError, KeyError, NotImplementedError, AssertionError)


def check_has_loss(model: Any) -> None:
    """Check that a model can be attacked.

    Raises:
        ValueError: It has no loss: its config has no `train_cfg`, or it is no model of mmdet or
            mmseg.
    """
    name = type(model).__name__
    if not callable(getattr(model, 'loss', None)):
        raise ValueError(f'attacks need a loss, which {name} does not have')
    heads = [getattr(model, key, None) for key in ('bbox_head', 'rpn_head')]
    for head in heads:
        if head is not None and hasattr(head, 'train_cfg') and not head.train_cfg:
            raise ValueError(
                f'attacks need a loss, for which {name} has no model.train_cfg in the config'
            )


def truths_of(model: Any, samples: Sequence[Any], inputs: Tensor) -> list[Any]:
    """Return samples whose ground truth fits the network's input.

    Args:
        model: The model.
        samples: Of the data preprocessor. Boxes and masks are in resized coordinates; a label map
            may still have the original size, in which mmseg evaluates it.
        inputs: The preprocessed images.

    Raises:
        ValueError: A sample has no ground truth.
    """
    made = [copy.deepcopy(sample) for sample in samples]
    for sample in made:
        if isinstance(sample, SegDataSample):
            if 'gt_sem_seg' not in sample:
                raise ValueError(f'attacks need label maps, {sample.img_path} has none')
            ignored = getattr(getattr(model, 'decode_head', None), 'ignore_index', IGNORED)
            fitted = _fitted(
                sample.gt_sem_seg.data, sample.img_shape[:2], inputs.shape[-2:], ignored
            )
            sample.gt_sem_seg = PixelData(data=fitted)
        elif 'gt_instances' not in sample or 'bboxes' not in sample.gt_instances:
            raise ValueError(
                f'attacks need boxes, of which the test pipeline loads none for {sample.img_path}: '
                'add LoadAnnotations to it'
            )
    preprocessor = model.data_preprocessor
    for key, pad in (('pad_mask', 'pad_gt_masks'), ('pad_seg', 'pad_gt_sem_seg')):
        if getattr(preprocessor, key, False):
            for sample in made:
                sample.set_metainfo({'batch_input_shape': tuple(inputs.shape[-2:])})
            getattr(preprocessor, pad)(made)
    return made


def loss_gradient(model: Any, inputs: Tensor, truths: Sequence[Any]) -> Tensor:
    """Return the gradient of the model's loss with respect to its inputs: (N, 3, h, w).

    Random numbers, such as those of a second stage's sampler, are the same at each call.

    Raises:
        ValueError: The loss cannot be computed, or does not depend on the inputs.
    """
    leaf = inputs.detach().clone().requires_grad_()
    devices = [inputs.device] if inputs.is_cuda else []
    with torch.enable_grad(), torch.random.fork_rng(devices):
        torch.manual_seed(0)
        try:
            losses = model.loss(leaf, copy.deepcopy(list(truths)))
            total, _ = model.parse_losses(losses)
        except FAILURES as error:
            raise ValueError(
                f'the loss of {type(model).__name__}, which attacks need, cannot be computed: '
                f'{type(error).__name__}: {error}'
            ) from error
        (gradient,) = torch.autograd.grad(total, leaf)
    return gradient


def _fitted(labels: Tensor, size: tuple[int, int], padded: Sequence[int], ignored: int) -> Tensor:
    """Resize a label map (1, H, W) to the resized image, and pad it: (1, h, w)."""
    values = labels[None].double()  # nearest neighbours of integers, exactly
    small = values if values.shape[-2:] == size else F.interpolate(values, size, mode='nearest')
    below, right = padded[0] - size[0], padded[1] - size[1]
    return F.pad(small, (0, right, 0, below), value=ignored)[0].to(labels.dtype)
