"""Check before a run that its outputs replace neither what it reads nor files of others."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from effnet_dense.data.config_walk import loop_datasets, metrics_of
from effnet_dense.engine.config_outputs import BACKEND_FILES, FILES
from effnet_dense.utils.output_folders import check_file, check_folder
from effnet_dense.utils.outputs import check_free, check_not_read, check_outside

OUTPUTS = {*FILES, *BACKEND_FILES}
LONGEST = 4096
"""Characters of a path."""
Paths = Iterable[str | Path]


def check_run(config: Config, loops: Sequence[str], folders: Paths, files: Paths = ()) -> None:
    """Check a config's outputs against the files and folders that it names.

    Args:
        config: As it will run.
        loops: Those that will run, of 'train', 'val' and 'test'.
        folders: In which outputs will be made.
        files: Outputs whose paths are known.

    Raises:
        FileExistsError: An output exists, and the package did not write it.
        OSError: An output cannot be written.
        ValueError: An output is read, or would lie among the files of a dataset.
    """
    inputs = set(data_folders(config, loops))
    files = list(files)
    for file in files:
        check_file(file)
    for folder in (*folders, *(Path(file).parent for file in files)):
        check_folder(folder)
        check_outside(folder, inputs)
    check_not_read(files, run_inputs(config, loops))
    check_free(files)


def check_images(outputs: Paths, dataset: Any) -> None:
    """Check outputs against the images and label maps of a built dataset.

    Raises:
        FileExistsError, ValueError: See `check_run`.
    """
    outputs = [path for path in outputs if os.path.lexists(path)]
    if outputs:
        records = dataset_records(dataset)
        paths = (record.get(key) for record in records for key in ('img_path', 'seg_map_path'))
        check_not_read(outputs, (path for path in paths if path))
    check_free(outputs)


def dataset_records(dataset: Any) -> Iterator[dict[str, Any]]:
    """Yield what mmengine's datasets know about each sample; nothing for other datasets."""
    if hasattr(dataset, 'get_data_info'):
        yield from (dataset.get_data_info(index) for index in range(len(dataset)))


def image_paths(dataset: Any) -> list[str]:
    """List the images of a dataset of mmengine's."""
    return [str(record['img_path']) for record in dataset_records(dataset) if 'img_path' in record]


def run_inputs(config: Config, loops: Sequence[str]) -> Iterator[str]:
    """Yield the files that a config names: itself, weights, annotations, and any others."""
    named = [config.filename, *_named_files(config)]
    for loop in loops:
        for dataset in loop_datasets(config, loop):
            if dataset.get('ann_file'):
                named.append(os.path.join(dataset.get('data_root') or '', dataset['ann_file']))
        metrics = metrics_of(config.get(f'{loop}_evaluator'))
        named += [metric.get('ann_file') for metric in metrics]
    yield from (str(path) for path in named if path)


def _named_files(config: Config) -> Iterator[str]:
    """Yield the texts of a config that are paths of files; not the checkpoint of a resumed run."""
    nodes = [
        value
        for key, value in config.items()
        if not (config.get('resume') and key in ('load_from', 'load_from_first'))
    ]
    while nodes:
        node = nodes.pop()
        if isinstance(node, Mapping):
            nodes += [value for key, value in node.items() if key not in OUTPUTS]
        elif isinstance(node, list | tuple):
            nodes += node
        elif isinstance(node, str) and len(node) <= LONGEST and os.path.isfile(node):
            yield node


def data_folders(config: Config, loops: Sequence[str]) -> Iterator[str]:
    """Yield the folders of images and label maps; not a dataset's root, which may hold all."""
    for loop in loops:
        for dataset in loop_datasets(config, loop):
            root = dataset.get('data_root') or ''
            for prefix in (dataset.get('data_prefix') or {}).values():
                path = os.path.join(root, prefix or '')
                if prefix and os.path.normpath(path) != os.path.normpath(root or '.'):
                    yield path
