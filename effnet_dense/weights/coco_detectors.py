"""Detectors that others trained on COCO and that a shipped config builds: one row each.

Sources: effdet 0.4.1 (files: `config/model_config.py`; AP: its README, with hard NMS) and mmdet 3.3
(`configs/efficientnet/metafile.yml`, and the README of `projects/EfficientDet`, whose D0 is a
conversion of google/automl's weights that was not released). AdvProp's border: google/automl's
`dataloader.py` (`scale_range`), effdet's `fill_color`. effdet's other networks (`resdet50`,
`efficientdet_q0`, …) have other backbones or pyramids.
"""

from __future__ import annotations

from dataclasses import dataclass

from effnet_dense.weights.image_statistics import HALF, IMAGENET, Statistics


@dataclass(frozen=True)
class CocoDetector:
    """A published detector of COCO's 80 classes.

    Attributes:
        source: What a user writes, such as 'effdet://tf_efficientdet_d0'.
        url: Of the file, whose name ends in the first 8 digits of its sha256.
        config: The shipped config that builds the network.
        ap: Box AP on val2017 in percent, as the distributor reports it.
        statistics: Mean and standard deviation of the images.
        padding: 'same' for weights from TensorFlow, which also have biases before the norms, else
            'symmetric'.
        anchor_scale: Base size of the anchors in cells.
        pad_value: Of normalised pixels beside an image: AdvProp's images have a black border.
        head: Type of the head.
        licence: As the distributor states it.
    """

    source: str
    url: str
    config: str
    ap: float
    statistics: Statistics = IMAGENET
    padding: str = 'same'
    anchor_scale: int = 4
    pad_value: float = 0.0
    head: str = 'EfficientDetHead'
    licence: str = 'Apache-2.0'

    @property
    def sha256(self) -> str:
        """First digits of the file's hash."""
        return self.url.rpartition('-')[2].removesuffix('.pth')

    @property
    def file(self) -> str:
        """The file's name without hash."""
        return self.url.rpartition('/')[2].rpartition('-')[0]


def _effdet(
    name: str,
    file: str,
    ap: float,
    statistics: Statistics = IMAGENET,
    padding: str = 'same',
    anchor_scale: int = 4,
    pad_value: float = 0.0,
) -> CocoDetector:
    release = 'https://github.com/rwightman/efficientdet-pytorch/releases/download/v0.1'
    size = name.removeprefix('tf_').removesuffix('_ap')
    return CocoDetector(
        f'effdet://{name}',
        f'{release}/{file}.pth',
        f'{size}_coco',
        ap,
        statistics,
        padding,
        anchor_scale,
        pad_value,
    )


def _mmdet(
    name: str, file: str, config: str, ap: float, head: str = 'EfficientDetHead'
) -> CocoDetector:
    url = f'https://download.openmmlab.com/mmdetection/{file}.pth'
    return CocoDetector(f'mmdet://{name}', url, config, ap, head=head)


_ROWS = (
    _effdet('efficientdet_d0', 'efficientdet_d0-f3276ba8', 33.6, padding='symmetric'),
    _effdet('efficientdet_d1', 'efficientdet_d1-bb7e98fe', 39.4, padding='symmetric'),
    _effdet('tf_efficientdet_d0', 'tf_efficientdet_d0_34-f153e0cf', 34.2),
    _effdet('tf_efficientdet_d1', 'tf_efficientdet_d1_40-a30f94af', 40.1),
    _effdet('tf_efficientdet_d2', 'tf_efficientdet_d2_43-8107aa99', 43.4),
    _effdet('tf_efficientdet_d3', 'tf_efficientdet_d3_47-0b525f35', 47.1),
    _effdet('tf_efficientdet_d4', 'tf_efficientdet_d4_49-f56376d9', 49.2),
    _effdet('tf_efficientdet_d5', 'tf_efficientdet_d5_51-c79f9be6', 51.2),
    _effdet('tf_efficientdet_d6', 'tf_efficientdet_d6_52-4eda3773', 52.0),
    _effdet('tf_efficientdet_d7', 'tf_efficientdet_d7_53-6d1d7a95', 53.1, anchor_scale=5),
    _effdet('tf_efficientdet_d7x', 'tf_efficientdet_d7x-f390b87c', 54.3),
    _effdet('tf_efficientdet_d0_ap', 'tf_efficientdet_d0_ap-d0cdbd0a', 34.8, HALF, pad_value=-1.0),
    _effdet('tf_efficientdet_d1_ap', 'tf_efficientdet_d1_ap-7721d075', 40.8, HALF, pad_value=-1.0),
    _effdet('tf_efficientdet_d2_ap', 'tf_efficientdet_d2_ap-a2995c19', 44.2, HALF, pad_value=-1.0),
    _effdet('tf_efficientdet_d3_ap', 'tf_efficientdet_d3_ap-e4a2feab', 47.7, HALF, pad_value=-1.0),
    _effdet('tf_efficientdet_d4_ap', 'tf_efficientdet_d4_ap-f601a5fc', 50.2, HALF, pad_value=-1.0),
    _effdet('tf_efficientdet_d5_ap', 'tf_efficientdet_d5_ap-3673ae5d', 52.1, HALF, pad_value=-1.0),
    _effdet('tf_efficientdet_lite0', 'tf_efficientdet_lite0-dfacfc78', 27.1, HALF, anchor_scale=3),
    _effdet('tf_efficientdet_lite1', 'tf_efficientdet_lite1-6dc7ab30', 32.2, HALF, anchor_scale=3),
    _effdet('tf_efficientdet_lite2', 'tf_efficientdet_lite2-86c5d55b', 35.9, HALF, anchor_scale=3),
    _effdet('tf_efficientdet_lite3', 'tf_efficientdet_lite3-506852cb', 39.6, HALF),
    _effdet(
        'tf_efficientdet_lite3x', 'tf_efficientdet_lite3x-8404c57b', 43.6, HALF, anchor_scale=3
    ),
    _effdet('tf_efficientdet_lite4', 'tf_efficientdet_lite4-391ddabc', 44.2, HALF),
    _mmdet(
        'retinanet_effb3_fpn_8xb4-crop896-1x_coco',
        'v2.0/efficientnet/retinanet_effb3_fpn_crop896_8x4_1x_coco/'
        'retinanet_effb3_fpn_crop896_8x4_1x_coco_20220322_234806-615a0dda',
        'effnet_b3_retinanet_coco',
        40.5,
        head='RetinaSepBNHead',
    ),
    _mmdet(
        'efficientdet_effb3_bifpn_8xb16-crop896-300e_coco',
        'v3.0/efficientdet/efficientdet_effb3_bifpn_8xb16-crop896-300e_coco/'
        'efficientdet_effb3_bifpn_8xb16-crop896-300e_coco_20230223_122457-e6f7a833',
        'efficientdet_d3_coco',
        47.2,
    ),
)
COCO_DETECTORS: dict[str, CocoDetector] = {row.source: row for row in _ROWS}
