"""Find the files and folders that the metrics, hooks and visualizer of a config write."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mmengine.hooks import CheckpointHook

from effnet_dense.data.config_walk import type_name
from effnet_dense.engine.checks.config_parts import Part, Parts

Kind = Literal['file', 'folder', 'maps', 'drawings', 'scratch']

FILES = (
    *('out_file_path', 'outfile_path', 'json_trace_path', 'out_file', 'output_file'),
    *('out_path', 'output_path', 'save_path', 'dump_path'),
)
"""Arguments of metrics and hooks that name a file to write: mmdet's, mmengine's, and usual ones."""
FOLDERS = (
    *('out_dir', 'output_dir', 'save_dir', 'result_path', 'test_out_dir', 'dir_name'),
    *('out_folder', 'output_folder', 'save_folder', 'dump_dir'),
)
BACKEND_FILES = {'config_save_file': 'config.py', 'scalar_save_file': 'scalars.json'}
"""Arguments of the visualizer's local backend and their defaults."""
PREFIX = 'outfile_prefix'
SUFFIXES = {
    'CrowdHumanMetric': ('.json',),
    'YouTubeVISMetric': ('.json', '.submission_file.zip'),
    'CocoPanopticMetric': ('.panoptic.json', '.gt.json'),
    'CityScapesMetric': (),
    'MOTChallengeMetric': (),
    '': ('.bbox.json', '.segm.json', '.proposal.json', '.gt.json', '.json'),
}
"""Metric → what it adds to its `outfile_prefix`; '': all others."""
IN_LOGS = ('test_out_dir', 'dir_name')
"""Folders that are relative to the run's log folder."""
LOG = 'TIME'
"""Stands for the log folder's name, the time of the start."""


@dataclass(frozen=True)
class Output:
    """What a config's entry writes.

    Attributes:
        key: The entry.
        path: The file or folder.
        kind: 'maps' and 'drawings' are folders of files that are named after the images, without
            their folders: maps are PNG files. 'scratch' is a folder that is deleted.
    """

    key: str
    path: Path
    kind: Kind

    @property
    def folder(self) -> Path:
        """The folder that is written into."""
        return self.path.parent if self.kind == 'file' else self.path


def config_outputs(config: Any, loops: Sequence[str]) -> list[Output]:
    """List the outputs on this machine's disks that a config names.

    Args:
        config: As it will run.
        loops: Those that will run, of 'train', 'val' and 'test'; others' metrics are left out.

    Raises:
        ValueError: A path is empty, or leads out of the folder that it is a name in.
    """
    found: list[Output] = []
    work_dir = Path(config.get('work_dir') or '.')
    for part in Parts(config).hooks():
        if 'train' in loops or not _is(part, CheckpointHook):
            found += _of_hook(part, work_dir)
    for loop in loops:
        evaluator = config.get(f'{loop}_evaluator')
        for part in Parts(config).evaluators(f'{loop}_evaluator', evaluator):
            found += _of_metric(part)
    return found + list(_of_visualizer(config.get('visualizer'), work_dir))


def _is(part: Part, cls: type) -> bool:
    return inspect.isclass(part.cls) and issubclass(part.cls, cls)


def _of_hook(part: Part, work_dir: Path) -> Iterator[Output]:
    node = part.node
    template = node.get('filename_tmpl')
    if isinstance(template, str) and os.path.basename(template) != template:
        raise ValueError(
            f'{part.key}.filename_tmpl must be a name without folders, got {template!r}; '
            'out_dir chooses the folder'
        )
    folders = (*FOLDERS, 'folder') if type_name(node) == 'PicturesHook' else FOLDERS
    below = work_dir.name if 'out_dir' in node else ''  # mmengine adds the work folder's name
    for key, path in _paths(part.key, node, folders):
        name = key.rpartition('.')[2]
        if name in IN_LOGS:
            yield Output(key, Path(os.path.normpath(work_dir / LOG / path)), 'drawings')
        else:
            yield Output(key, Path(path, below), 'folder')
        if name == 'out_dir' and 'LoggerHook' in type_name(node):
            for file in ('scalars.json', 'config.py'):
                yield Output(key, Path(path, below, 'vis_data', file), 'file')
    yield from (Output(key, Path(path), 'file') for key, path in _paths(part.key, node, FILES))
    trace = node.get('on_trace_ready')
    if isinstance(trace, Mapping):
        for key, path in _paths(f'{part.key}.on_trace_ready', trace, ('dir_name',)):
            yield Output(key, Path(os.path.normpath(work_dir / LOG / path)), 'folder')


def _of_metric(part: Part) -> Iterator[Output]:
    node, name = part.node, type_name(part.node)
    if name == 'DumpProposals' and node.get('output_dir'):
        file = node.get('proposals_file') or 'proposals.pkl'
        yield Output(f'{part.key}.output_dir', Path(node['output_dir'], file), 'file')
        return
    for key, path in _paths(part.key, node, FOLDERS):
        deleted = name == 'CityscapesMetric' and not node.get('keep_results')
        yield Output(key, Path(path), 'scratch' if deleted else 'maps')
    for key, path in _paths(part.key, node, ('collect_dir',)):
        yield Output(key, Path(path), 'scratch')
    for key, path in _paths(part.key, node, FILES):
        yield Output(key, Path(path), 'file')
    for key, path in _paths(part.key, node, (PREFIX,)):
        for suffix in SUFFIXES.get(name, SUFFIXES['']):
            yield Output(key, Path(path + suffix), 'file')
        if name == 'CocoPanopticMetric':
            yield Output(key, Path(f'{path}.panoptic'), 'maps')
        elif name == 'CityScapesMetric':
            yield Output(key, Path(path, 'results'), 'scratch')
        elif name == 'MOTChallengeMetric':
            yield Output(key, Path(path), 'scratch')


def _of_visualizer(node: Any, work_dir: Path) -> Iterator[Output]:
    """Yield the folders of a visualizer and of its backends, unless those are the run's own."""
    if not isinstance(node, Mapping):
        return
    given = dict(_paths('visualizer', node, ('save_dir',)))
    common = next((Path(path, 'vis_data') for path in given.values()), None)
    backends = node.get('vis_backends') or ()
    numbered = [backends] if isinstance(backends, Mapping) else list(backends)
    for index, backend in enumerate(numbered):
        if not isinstance(backend, Mapping):
            continue
        key = f'visualizer.vis_backends.{index}'
        own = dict(_paths(key, backend, ('save_dir',)))
        folder = next((Path(path) for path in own.values()), common)
        names = [*BACKEND_FILES, 'img_save_dir']
        if folder is None and not any(backend.get(name) for name in names):
            continue
        folder = folder or work_dir / LOG / 'vis_data'
        yield Output(key, folder, 'folder')
        if type_name(backend) == 'LocalVisBackend':
            images = backend.get('img_save_dir') or 'vis_image'
            yield Output(key, Path(os.path.normpath(folder / images)), 'folder')
            for name, default in BACKEND_FILES.items():
                path = folder / (backend.get(name) or default)
                yield Output(key, Path(os.path.normpath(path)), 'file')


def _paths(key: str, node: Any, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the keys and paths of some arguments; not of other storage, such as 's3://…'."""
    for name in names:
        value = node.get(name)
        if not isinstance(value, str | os.PathLike) or '://' in str(value):
            continue
        if not str(value).strip():
            raise ValueError(
                f'{key}.{name}={str(value)!r} would write into the current folder: name a folder, '
                'or leave it out'
            )
        yield f'{key}.{name}', str(value)
