"""Point an mmseg config at a folder of label maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from effnet_dense.data.config_walk import (
    SPLIT_OF,
    keep_first,
    leaf_datasets,
    loop_datasets,
    loops_of,
    metrics_of,
    type_name,
)
from effnet_dense.data.decoding import is_upright
from effnet_dense.data.folders import SPLITS
from effnet_dense.data.label_maps.classes import LabelClasses
from effnet_dense.data.label_maps.colours import TRANSPARENT, channels_of, colour_name
from effnet_dense.data.label_maps.decode import NO_CLASS
from effnet_dense.data.label_maps.folder import Draw, LabelSource, find_labels
from effnet_dense.data.label_maps.heads import set_segmentation_classes
from effnet_dense.data.label_maps.pairs import LabelSplit
from effnet_dense.data.label_maps.reduced import report_reduced
from effnet_dense.data.palette import palette
from effnet_dense.data.resizing import split_scales
from effnet_dense.data.skipping import SkipBad
from effnet_dense.data.splitting import VAL_SHARE

LOADERS = ('LoadAnnotations', 'LoadLabelMap')

PREFIXES = ('img_path', 'seg_map_path')

KEPT = ('pipeline', 'indices', 'lazy_init', 'max_refetch', 'serialize_data', 'test_mode')
"""Arguments of a dataset that do not depend on its files."""

UNSUPPORTED_METRICS = ('CityscapesMetric', 'DepthMetric')
"""mmseg's metrics that read one dataset's files, or do not evaluate classes."""


def use_label_maps(
    cfg: Config,
    folder: str | Path,
    splits: Sequence[str] = SPLITS,
    draw: Draw | None = None,
    val_share: float = VAL_SHARE,
    split_seed: int = 0,
    skip: SkipBad | None = None,
) -> LabelSource:
    """Point an mmseg config at a folder of label maps, or of objects with masks.

    Args:
        cfg: Changed in place.
        folder: The dataset's root.
        splits: ('train', 'val') for training, ('val',) for testing.
        draw: Draws the label maps of a folder of objects (see `find_labels`).
        val_share: Share of the images that are evaluated where the dataset has one part.
        split_seed: Of that split.
        skip: Leave out faulty pairs of images and label maps.

    Raises:
        FileNotFoundError: The folder, a split, images or label maps are missing.
        ValueError: The label maps cannot be used, or the config does not read any.
    """
    _check_config(cfg, splits)
    source = find_labels(
        folder, splits, split_scales(cfg), val_share, split_seed, draw, _upright(cfg, splits), skip
    )
    print_log(source.summary())
    report_reduced(cfg, tuple(source.splits), source.encoding)
    for loop in loops_of(tuple(source.splits)):
        _set_datasets(cfg.get(f'{loop}_dataloader'), source, source.splits[SPLIT_OF[loop]])
        _set_evaluator(cfg.get(f'{loop}_evaluator'))
    _set_loaders(cfg.get('tta_pipeline'), source)
    if not set_segmentation_classes(cfg.model, len(source.classes)):
        raise ValueError(f'--data found no head with num_classes in {sorted(cfg.model)}')
    return source


def _upright(cfg: Config, splits: Sequence[str]) -> dict[str, bool]:
    """Return, for each split, whether its images are rotated by their EXIF orientation."""
    found: dict[str, bool] = {}
    for loop in loops_of(splits):
        for dataset in loop_datasets(cfg, loop):
            for step in dataset.get('pipeline') or ():
                if type_name(step) == 'LoadImageFromFile':
                    found.setdefault(SPLIT_OF[loop], is_upright(step.get('color_type', 'color')))
    return found


def _check_config(cfg: Config, splits: Sequence[str]) -> None:
    """Reject datasets whose samples are not one image and one label map, and their metrics."""
    for loop in loops_of(splits):
        for dataset in loop_datasets(cfg, loop):
            _expect_label_maps(dataset, f'{loop}_dataloader')
        for metric in metrics_of(cfg.get(f'{loop}_evaluator')):
            if type_name(metric) in UNSUPPORTED_METRICS:
                raise ValueError(
                    f'--data needs a config for label maps: expected an IoUMetric in '
                    f'{loop}_evaluator, got {type_name(metric)}'
                )


def _expect_label_maps(dataset: Any, where: str) -> None:
    what = f'--data needs a config for label maps: expected {{}} in {where}, got {{}}'
    others = sorted(set(dataset.get('data_prefix') or ()) - set(PREFIXES))
    if others:
        name = f'{type_name(dataset)} with {", ".join(others)}'
        raise ValueError(what.format(f'a dataset with {" and ".join(PREFIXES)}', name))
    pipeline = dataset.get('pipeline') or []
    if not any(_loaders(pipeline)):
        names = ', '.join(type_name(step) for step in pipeline) or 'no pipeline'
        raise ValueError(what.format(f'{LOADERS[0]} or effnet_dense.{LOADERS[1]}', names))


def _loaders(node: Any) -> Iterator[Any]:
    """Yield the steps of a pipeline that load a label map, including nested ones."""
    if isinstance(node, list | tuple):
        for child in node:
            yield from _loaders(child)
    elif isinstance(node, dict):
        if type_name(node) in LOADERS:
            yield node
        else:
            yield from _loaders(list(node.values()))


def _set_loaders(pipeline: Any, source: LabelSource) -> None:
    for step in _loaders(pipeline):
        step.clear()
        step['type'] = 'effnet_dense.LoadLabelMap'
        step['num_classes'] = len(source.classes)
        step['ignore'] = source.ignore
        step.update(_tables(source.encoding))


def _tables(encoding: LabelClasses) -> dict[str, Any]:
    """Return the loader's tables of values or colours; keys are strings, as in a saved config."""
    options: dict[str, Any] = {}
    if encoding.values is not None:
        options['values'] = {str(value): label for value, label in encoding.values.items()}
    if encoding.colours is not None:
        colours = encoding.colours.items()
        options['colours'] = {colour_name(code): label for code, label in colours}
    if encoding.unknown_ignored:
        options['unknown_ignored'] = True
    return options


def _set_datasets(dataloader: Any, source: LabelSource, split: LabelSplit) -> None:
    if dataloader is None:
        return
    keep_first(dataloader['dataset'])
    folders = (split.image_dir, split.label_dir)
    prefixes = [f'{_relative(folder, source.root)}/' for folder in folders]
    for dataset in leaf_datasets(dataloader['dataset']):
        colours = _palette(dataset.get('metainfo') or {}, source)
        for key in set(dataset) - set(KEPT):
            del dataset[key]
        dataset['type'] = 'effnet_dense.LabelMapDataset'
        dataset['data_root'] = f'{source.root}/'
        dataset['data_prefix'] = dict(zip(PREFIXES, prefixes, strict=True))
        if split.list_file is not None:
            dataset['ann_file'] = _relative(split.list_file, source.root)
        dataset.update(split.options())
        dataset['metainfo'] = {
            'classes': source.classes,
            'palette': colours,
        }
        _set_loaders(dataset['pipeline'], source)


def _relative(path: Path, root: Path) -> str:
    """Make a path relative to the root, as in configs; absolute if it lies elsewhere."""
    return str(path.relative_to(root) if path.is_relative_to(root) else path.absolute())


def _palette(metainfo: Any, source: LabelSource) -> list[Any]:
    """Return the config's colours if its classes are these, else the files' or generated ones."""
    if tuple(metainfo.get('classes') or ()) == source.classes and metainfo.get('palette'):
        return [list(colour) for colour in metainfo['palette']]
    colours: list[Any] = list(palette(len(source.classes)))
    own = source.encoding.colours or {}
    for code, label in reversed([*own.items()]):
        if label != NO_CLASS and code != TRANSPARENT:
            colours[label] = channels_of(code)
    return colours


def _set_evaluator(evaluator: Any) -> None:
    """Ignore 255, to which the loader maps the file's value for "no class"."""
    for metric in metrics_of(evaluator):
        if 'ignore_index' in metric:
            metric['ignore_index'] = NO_CLASS
