"""Batches arrive from processes as they were made, in one block of memory."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData
from torch import Tensor
from torch.utils.data import DataLoader

from effnet_dense.data.batch_buffers import ALIGNMENT, OneBuffer, share_one_buffer


def sample(index: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(index)
    boxes = torch.rand(index + 1, 4, generator=generator)
    truth = InstanceData(
        bboxes=HorizontalBoxes(boxes),
        labels=torch.arange(index + 1),
        masks=BitmapMasks(np.full((index + 1, 3, 5), index, np.uint8), 3, 5),
    )
    image = torch.randint(0, 255, (3, 5, 7 + index), dtype=torch.uint8, generator=generator)
    data = DetDataSample(gt_instances=truth, metainfo=dict(img_shape=(5, 7), img_id=index))
    return dict(inputs=image, data_samples=data)


def check(batch: dict[str, Any], expected: dict[str, Any]) -> None:
    for image, other in zip(batch['inputs'], expected['inputs'], strict=True):
        assert image.equal(other)
    for data, other in zip(batch['data_samples'], expected['data_samples'], strict=True):
        truth, wanted = data.gt_instances, other.gt_instances
        assert truth.bboxes.tensor.equal(wanted.bboxes.tensor)
        assert truth.labels.equal(wanted.labels)
        assert np.array_equal(truth.masks.masks, wanted.masks.masks)
        assert data.metainfo == other.metainfo


def arrive(batch: Any) -> tuple[Any, Tensor]:
    restore, (text, block, sizes) = OneBuffer(batch).__reduce__()
    return restore(text, block, sizes), block


def test_a_batch_lies_in_one_block() -> None:
    expected = pseudo_collate([sample(index) for index in range(3)])
    batch, block = arrive(expected)
    check(batch, expected)
    start, end = block.data_ptr(), block.data_ptr() + block.numel()
    tensors = [*batch['inputs'], *(each.gt_instances.labels for each in batch['data_samples'])]
    assert all(start <= tensor.data_ptr() < end for tensor in tensors)
    assert all((tensor.data_ptr() - start) % ALIGNMENT == 0 for tensor in tensors)
    assert start <= batch['data_samples'][2].gt_instances.masks.masks.ctypes.data < end
    batch['inputs'][0].add_(1)  # may be changed, and does not touch the others
    assert batch['inputs'][1].equal(expected['inputs'][1])


@pytest.mark.parametrize(
    'tensor',
    [
        torch.empty(0, 4),
        torch.tensor(3.0),
        torch.arange(6).view(2, 3).T,
        torch.ones(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
        torch.tensor([1.5, 2.5], dtype=torch.bfloat16),
        torch.tensor([1 + 2j]).conj(),
        torch.tensor([True, False]),
        torch.ones(2, requires_grad=True),
        torch.nn.Parameter(torch.ones(2)),
        torch.eye(3).to_sparse(),
    ],
    ids=str,
)
def test_any_tensor(tensor: Tensor) -> None:
    made = arrive([tensor])[0][0]
    assert type(made) is type(tensor)
    assert (made.dtype, made.layout, made.shape) == (tensor.dtype, tensor.layout, tensor.shape)
    assert made.to_dense().equal(tensor.to_dense())
    assert made.requires_grad == tensor.requires_grad


def test_arrays_and_batches_without_values() -> None:
    fixed = np.arange(4)
    fixed.flags.writeable = False
    arrays = [np.zeros((2, 0)), np.arange(12).reshape(3, 4)[:, ::2], fixed, np.array(['a', None])]
    for array, made in zip(arrays, arrive(arrays)[0], strict=True):
        assert np.array_equal(made, array)
    assert arrive(dict(inputs=[], path='a.jpg'))[0] == dict(inputs=[], path='a.jpg')


@pytest.mark.parametrize('workers', [0, 2])
def test_processes_hand_over_the_same_batches(workers: int) -> None:
    samples: Any = [sample(index) for index in range(5)]
    loader = DataLoader(samples, 2, num_workers=workers, collate_fn=pseudo_collate)
    assert share_one_buffer(share_one_buffer(loader)) is loader
    batches = list(loader)
    assert len(batches) == 3
    for number, batch in enumerate(batches):
        check(batch, pseudo_collate(samples[2 * number : 2 * number + 2]))
    if workers:
        first, second = batches[0]['inputs']
        assert second.data_ptr() - first.data_ptr() == -(-first.numel() // ALIGNMENT) * ALIGNMENT
    assert pickle.loads(pickle.dumps(loader.collate_fn)) is not None  # for spawned processes
