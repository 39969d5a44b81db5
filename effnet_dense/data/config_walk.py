"""Walk a config: datasets inside wrappers, metrics inside evaluators, the library it is for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.config import Config

SPLIT_OF = {'train': 'train', 'val': 'val', 'test': 'val'}
"""Loop of the runner → split of the dataset."""


def leaf_datasets(dataset: Any) -> Iterator[Any]:
    """Yield the datasets inside wrappers such as RepeatDataset and ConcatDataset, in order."""
    if 'datasets' in dataset:
        for child in dataset['datasets']:
            yield from leaf_datasets(child)
    elif 'dataset' in dataset:
        yield from leaf_datasets(dataset['dataset'])
    else:
        yield dataset


def loop_datasets(cfg: Config, loop: str) -> list[Any]:
    """List the datasets of a loop's data loader; none if the config has no such loader."""
    dataloader = cfg.get(f'{loop}_dataloader')
    return list(leaf_datasets(dataloader['dataset'])) if dataloader else []


def loops_of(splits: Sequence[str]) -> list[str]:
    """List the runner's loops that read any of the splits."""
    return [loop for loop, split in SPLIT_OF.items() if split in splits]


def keep_first(dataset: Any) -> None:
    """Keep only the first of concatenated datasets: the user's folder is used once."""
    if 'datasets' in dataset:
        dataset['datasets'] = dataset['datasets'][:1]
        keep_first(dataset['datasets'][0])
    elif 'dataset' in dataset:
        keep_first(dataset['dataset'])


def metrics_of(evaluator: Any) -> list[Any]:
    """List the metrics of an evaluator: one, a list, or an Evaluator's `metrics`."""
    if evaluator is None:
        return []
    if isinstance(evaluator, list | tuple):
        return [metric for part in evaluator for metric in metrics_of(part)]
    return metrics_of(evaluator['metrics']) if 'metrics' in evaluator else [evaluator]


def type_name(node: Any) -> str:
    """Return 'CocoDataset' for type='CocoDataset', 'mmdet.CocoDataset' or the class itself."""
    kind = node.get('type', '')
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', str(kind))
    return name.rpartition('.')[2]


def is_segmentation(cfg: Config) -> bool:
    """Whether a config is for mmseg, by its scope or by its datasets."""
    if cfg.get('default_scope') == 'mmseg':
        return True
    datasets = (dataset for loop in SPLIT_OF for dataset in loop_datasets(cfg, loop))
    return any(_is_mmseg(dataset.get('type')) for dataset in datasets)


def _is_mmseg(kind: Any) -> bool:
    module = kind if isinstance(kind, str) else getattr(kind, '__module__', '')
    return module.startswith('mmseg.') or module == 'effnet_dense.LabelMapDataset'
