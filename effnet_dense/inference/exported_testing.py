"""Evaluate an exported file as a checkpoint is evaluated: the same metrics, report and drawings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from effnet_dense.data.config_walk import is_segmentation, loop_datasets, type_name
from effnet_dense.engine.config import find_config
from effnet_dense.engine.config_files import read_config
from effnet_dense.engine.jobs import Exported, test
from effnet_dense.engine.run_folder import is_run
from effnet_dense.engine.size_tuples import use_size_tuples
from effnet_dense.inference.exported import ExportedModel
from effnet_dense.runtimes.metadata import Metadata
from effnet_dense.runtimes.session import is_exported
from effnet_dense.utils.digests import sha256_of

TEMPLATES = {
    'detection': 'effnet_lite0_retinanet_finetune',
    'instance': 'effnet_lite0_mask_rcnn_finetune',
    'semantic': 'effnet_lite0_fpn_camvid',
}
"""Task → the shipped config whose dataset and metric are used with `--data`."""


def given_file(config: Any, checkpoint: Any, data: Any) -> tuple[Path | None, Any]:
    """Return the exported file that a test is given, if any, and the config to test it with.

    Args:
        config: A config or work folder, or an exported file alone.
        checkpoint: A checkpoint, or an exported file; None: none is given.
        data: The folder that replaces the config's data; None: the config's.

    Returns:
        None and the config, if neither is an exported file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: See `config_of_file`; or the file is followed by something.
    """
    if is_exported(config):
        if checkpoint is not None:
            raise ValueError(
                f'{config} is an exported file: expected nothing after it, got {checkpoint}'
            )
        path = Path(config)
        return path, config_of_file(path, ExportedModel(path).session.metadata, data)
    if is_exported(checkpoint):
        return Path(checkpoint), config
    return None, config


def config_of_file(path: Path, metadata: Metadata, data: Any) -> Path | Config:
    """Find the config with which an exported file is evaluated, if none is given.

    Args:
        path: The file.
        metadata: The file's.
        data: The folder that replaces the config's data; None: the training's.

    Returns:
        The work folder of the training, if the file lies there; else a config for the file's task,
        with its test pipeline.

    Raises:
        ValueError: There is neither a work folder nor data.
    """
    folder = path.absolute().parent
    trained = folder / metadata.checkpoint if metadata.checkpoint else None
    if is_run(folder) and trained is not None and trained.is_file():
        if metadata.sha256 in ('', sha256_of(trained)):  # '': of a file without a checkpoint
            print_log(f'{path}: dataset and metric are those of the training in {folder}')
            return folder
        reason = f'was exported from another {trained.name} than that in {folder}'
    else:
        reason = 'does not lie in the work folder of its training'
    if data is None:
        raise ValueError(
            f'{path} {reason}: expected --data DIR, or a config or work folder before the file'
        )
    if metadata.task not in TEMPLATES:
        raise ValueError(f'{path}: a {metadata.task} model needs a config before the file')
    return _from_template(path, metadata)


def _from_template(path: Path, metadata: Metadata) -> Config:
    config = read_config(find_config(TEMPLATES[metadata.task]))
    config.filename = None
    config.work_dir = str(Path('work_dirs') / path.stem)
    config.model.backbone.in_channels = len(metadata.mean)
    config.model.data_preprocessor = dict(metadata.preprocessor)
    if 'decode_head' in config.model:  # its weights of classes would be logged as removed
        config.model.decode_head.loss_decode = dict(type='CrossEntropyLoss')
    for loop in ('val', 'test'):
        for dataset in loop_datasets(config, loop):
            dataset.pipeline = _with_annotations(metadata.pipeline, dataset.pipeline)
    use_size_tuples(config)  # JSON has lists
    return config


def _with_annotations(pipeline: Sequence[Any], template: Sequence[Any]) -> list[dict[str, Any]]:
    """Return a pipeline that loads annotations, before its last step if it does not yet."""
    steps = [dict(step) for step in pipeline]
    if not any(_loads_annotations(step) for step in steps):
        steps[-1:-1] = [dict(step) for step in template if _loads_annotations(step)]
    return steps


def _loads_annotations(step: Any) -> bool:
    name = type_name(step)
    return name.startswith('Load') and not name.startswith('LoadImage')


def evaluate_exported(
    config: Config,
    path: Path,
    show_dir: str | Path | None = None,
    out: str | Path | None = None,
    deployed: bool = False,
    tta: bool | str = False,
    cuda_graphs: bool = False,
) -> dict[str, float]:
    """Evaluate an exported file on a config's test data.

    Args:
        config: From `load_config`; its model is replaced by the file.
        path: The file.
        show_dir, out: See `engine.jobs.test`.
        deployed, tta, cuda_graphs: Refused.

    Returns:
        The metrics.

    Raises:
        ValueError: The config is of another task, or asks for what a file cannot do.
        Others: See `engine.jobs.test`.
    """
    flags = {
        '--deploy': deployed,
        '--tta': tta,
        '--cuda-graphs': cuda_graphs,
        '--launcher': config.get('launcher', 'none') != 'none',
    }
    unused = [name for name, given in flags.items() if given]
    if unused:
        raise ValueError(f'{path} is an exported file: it takes no {", ".join(unused)}')
    metadata = ExportedModel(path).session.metadata
    if is_segmentation(config) != (metadata.task == 'semantic'):
        kind = 'segmentation' if is_segmentation(config) else 'detection'
        raise ValueError(f'{path} is a {metadata.task} model, the config is for {kind}')
    config.model = dict(type='effnet_dense.ExportedModel', session=str(path))
    config.channels_last = False
    return test(config, None, show_dir, out, exported=Exported(str(path), metadata.classes))
