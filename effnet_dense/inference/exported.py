"""An exported file in the place of a detector or segmentor.

Shapes: N images of H × W pixels, K detections.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmdet.structures.bbox import scale_boxes
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS as ROOT
from mmengine.structures import InstanceData, PixelData
from torch import Tensor, nn

from effnet_dense.engine.size_tuples import use_size_tuples
from effnet_dense.inference.exported_masks import add_masks, merge
from effnet_dense.registry import MODELS
from effnet_dense.runtimes.inputs import input_sides
from effnet_dense.runtimes.metadata import Metadata
from effnet_dense.runtimes.session import Session, open_session

DATASETS = {
    'detection': 'CocoDataset',
    'instance': 'CocoDataset',
    'panoptic': 'CocoPanopticDataset',
    'semantic': 'BaseSegDataset',
}
SCOPES = {task: 'mmseg' if task == 'semantic' else 'mmdet' for task in DATASETS}
RUNNABLE = {**dict.fromkeys(DATASETS, ('nms', 'dense')), 'semantic': ('labels', 'raw')}
"""Task → values of `post` from which predictions are made."""


@MODELS.register_module()
class ExportedModel(nn.Module):
    """Has the interface of mmengine's models that testing uses.

    Args:
        session: The file, or its path.

    Raises:
        ValueError: The file ends before predictions.
    """

    def __init__(self, session: Session | str | os.PathLike[str]) -> None:
        super().__init__()
        if isinstance(session, str | os.PathLike):
            session = open_session(session)
        metadata = session.metadata
        check_predicts(metadata)
        self.session = session
        with ROOT.switch_scope_and_registry(SCOPES[metadata.task]) as registry:
            preprocessor = _preprocessor(metadata)
            self.data_preprocessor = registry.build(preprocessor)
            self.panoptic_fusion_head = (
                None if metadata.panoptic is None else registry.build(ConfigDict(metadata.panoptic))
            )

    def test_step(self, data: Any) -> list[Any]:
        """Predict on a batch of the test pipeline; return its data samples with predictions."""
        data = self.data_preprocessor(data, False)
        samples = list(data['data_samples'])
        largest = [max(image.shape[axis] for image in data['inputs']) for axis in (1, 2)]
        height, width = input_sides(self.session.metadata, *largest)
        images = [
            self._place(image, height, width, sample.metainfo.get('img_path'))
            for image, sample in zip(data['inputs'], samples, strict=True)
        ]
        sizes = [sample.metainfo['img_shape'][:2] for sample in samples]
        outputs = self._run(torch.stack(images), np.array(sizes, np.float32))
        for index, sample in enumerate(samples):
            found = {name: value[index] for name, value in outputs.items()}
            self._predict(found, (height, width), sample)
        return samples

    def _predict(self, outputs: dict[str, Any], size: tuple[int, int], sample: Any) -> None:
        """Write what the outputs say of an image, in an input of `size`, into its sample."""
        metadata = self.session.metadata
        if metadata.task == 'semantic':
            _label_map(outputs, metadata, sample)
            return
        _boxes(outputs, sample)
        if metadata.masks is not None:
            add_masks(outputs['masks'], metadata.masks, sample)
        if self.panoptic_fusion_head is not None:
            logits = torch.from_numpy(outputs['semantic_logits'])
            merge(self.panoptic_fusion_head, logits, size, sample)

    def _place(self, image: Tensor, height: int, width: int, path: str | None) -> Tensor:
        """Pad an image (C, H, W) to the size of the file's input."""
        down, right = height - image.shape[1], width - image.shape[2]
        if down < 0 or right < 0:
            name = f'{path}: ' if path else ''
            raise ValueError(
                f'{name}expected images of at most {width} × {height} pixels after the test '
                f'pipeline, the size of the exported file, got {image.shape[2]} × {image.shape[1]}'
            )
        return F.pad(image, (0, right, 0, down), value=self.session.metadata.pad_value)

    def _run(self, images: Tensor, sizes: Any) -> dict[str, Any]:
        """Run the batch, in passes of the file's own number of images if it has one."""
        array, batch = images.cpu().numpy(), self.session.metadata.batch
        if batch is None:
            return self.session(array, sizes)
        passes = []
        for start in range(0, len(array), batch):
            part, shape = array[start : start + batch], sizes[start : start + batch]
            missing = batch - len(part)
            part = np.concatenate([part, np.repeat(part[-1:], missing, 0)])
            shape = np.concatenate([shape, np.repeat(shape[-1:], missing, 0)])
            passes.append(self.session(part, shape))
        joined = {name: np.concatenate([p[name] for p in passes]) for name in passes[0]}
        return {name: value[: len(array)] for name, value in joined.items()}


def check_predicts(metadata: Metadata) -> None:
    """Check that predictions can be made from a file's outputs.

    Raises:
        ValueError: They cannot.
    """
    task, post = metadata.task, metadata.post
    if task not in RUNNABLE:
        raise ValueError(
            f'this file is of {metadata.model}, which gives {", ".join(metadata.outputs)} and no '
            'predictions: run it by effnet_dense.runtimes.session.open_session'
        )
    if post not in RUNNABLE[task]:
        raise ValueError(
            f'this file was exported with --post {post}, whose outputs are no predictions: export '
            'it with the default post'
        )


def exported_config(metadata: Metadata) -> Config:
    """Return a config that has what predicting needs: pipeline, classes, preprocessor.

    Raises:
        ValueError: See `check_predicts`.
    """
    check_predicts(metadata)
    dataset = dict(
        type=DATASETS[metadata.task],
        pipeline=metadata.pipeline,
        metainfo=dict(classes=metadata.classes, palette=metadata.palette),
    )
    backbone = dict(type='effnet_dense.EfficientNet', in_channels=len(metadata.mean))
    model = dict(type=metadata.model, backbone=backbone, data_preprocessor=metadata.preprocessor)
    config = Config(
        dict(
            default_scope=SCOPES[metadata.task],
            model=model,
            test_dataloader=dict(dataset=dataset),
        )
    )
    use_size_tuples(config)  # JSON has lists
    return config


def _preprocessor(metadata: Metadata) -> dict[str, Any]:
    """Leave padding to `ExportedModel`, but for that to the file's own multiple."""
    dropped = ('batch_augments', 'size')
    preprocessor = {k: v for k, v in metadata.preprocessor.items() if k not in dropped}
    if metadata.multiple and 'pad_size_divisor' in preprocessor:
        preprocessor['pad_size_divisor'] = metadata.multiple
    return preprocessor


def _boxes(outputs: dict[str, Any], sample: Any) -> None:
    """Write detections into a sample, in the pixels of the image as loaded."""
    count = int((outputs['labels'] >= 0).sum())
    boxes, scores, labels = (
        torch.from_numpy(np.ascontiguousarray(outputs[name][:count]))
        for name in ('boxes', 'scores', 'labels')
    )
    scale = sample.metainfo.get('scale_factor', (1.0, 1.0))
    factors = [1 / factor for factor in scale[:2]]
    sample.pred_instances = InstanceData(
        bboxes=scale_boxes(boxes, factors), scores=scores, labels=labels
    )


def _label_map(outputs: dict[str, Any], metadata: Metadata, sample: Any) -> None:
    """Write a label map into a sample, of the size of the image as loaded."""
    height, width = sample.metainfo['img_shape'][:2]
    original: Sequence[int] = sample.metainfo['ori_shape'][:2]
    if 'label_map' in outputs:
        labels = torch.from_numpy(outputs['label_map'][None, :height, :width])
        if tuple(original) != (height, width):
            resized = F.interpolate(labels[None].float(), tuple(original), mode='nearest')
            labels = resized[0].long()
    else:
        logits = torch.from_numpy(outputs['logits'][None, :, :height, :width])
        if tuple(original) != (height, width):
            corners = metadata.align_corners
            logits = F.interpolate(logits, tuple(original), mode='bilinear', align_corners=corners)
        if logits.shape[1] == 1:  # mmseg's samples have probabilities then
            logits = logits.sigmoid()
            labels = logits[:, 0] > (0.5 if metadata.threshold is None else metadata.threshold)
        else:
            labels = logits.argmax(1)
        sample.seg_logits = PixelData(data=logits[0])
    sample.pred_sem_seg = PixelData(data=labels.long())
