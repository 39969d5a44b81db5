"""Train and test a config: the functions behind tools/train.py and tools/test.py."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from torch import nn

from effnet_dense.data import check_data_files
from effnet_dense.data.config_walk import metrics_of, type_name
from effnet_dense.engine.checkpoint_of_run import map_classes, use_classes_of
from effnet_dense.engine.checks.top_level import check_model, check_tested
from effnet_dense.engine.cuda_graphs import COMPILED
from effnet_dense.engine.flags import (
    draw_predictions,
    resume_from,
    scale_learning_rate,
    use_amp,
)
from effnet_dense.engine.hooks.evaluated_model import DeployHook, UnwrappedTTAHook
from effnet_dense.engine.hooks.inference_graphs import InferenceGraphsHook
from effnet_dense.engine.hooks.label_maps import LabelMapsHook
from effnet_dense.engine.inference_graphs import check_graphs_device
from effnet_dense.engine.output_claims import check_config_outputs
from effnet_dense.engine.outputs import check_run
from effnet_dense.engine.run_folder import check_new
from effnet_dense.engine.settings.published_detector import fit_to_detector
from effnet_dense.engine.test_time import check_one_view, use_tta
from effnet_dense.evaluation.dump import DumpDetections

PICKLES = ('.pkl', '.pickle')
DRAWN = 20
"""Number of images that a test draws by default."""


class Exported(NamedTuple):
    """An exported file that is tested: its name, and its classes in the order of its labels."""

    name: str
    classes: Sequence[str]


def train(
    config: Config, amp: bool = False, resume: str | None = None, auto_scale_lr: bool = False
) -> nn.Module:
    """Train a config's model.

    Args:
        config: From `load_config`.
        amp: Use mixed precision.
        resume: A checkpoint to resume from, or 'auto' for the last one of the work folder.
        auto_scale_lr: Scale the learning rate to this run's images per step.

    Returns:
        The trained model.

    Raises:
        FileNotFoundError: A checkpoint or data file is missing.
        FileExistsError: Another training holds the work folder, or it has checkpoints already and
            `resume` is None.
        ValueError: The config contradicts itself, its weights or its data, or the work folder
            lies among the images.
    """
    check_model(config)
    if amp:
        use_amp(config)
    if auto_scale_lr:
        scale_learning_rate(config)
    if resume is not None:
        resume_from(config, resume)
    elif not config.get('resume'):
        check_new(config.work_dir)
    check_data_files(config, ('train', 'val'))
    check_run(config, ('train', 'val'), [config.work_dir])
    check_config_outputs(config, ('train', 'val'))
    return build_runner(config).train()


def test(
    config: Config,
    checkpoint: str | None,
    show_dir: str | Path | None = None,
    out: str | Path | None = None,
    deployed: bool = False,
    tta: bool | str = False,
    cuda_graphs: bool = False,
    exported: Exported | None = None,
) -> dict[str, float]:
    """Evaluate a checkpoint on the config's test data.

    Classes are compared by name: the data's may have another order than the checkpoint's, and be
    fewer.

    Args:
        config: From `load_config`.
        checkpoint: Any source of `effnet_dense.load_weights`; None with `exported`.
        show_dir: Draw every image's prediction beside its ground truth into this folder; by
            default `DRAWN` of them, into the work folder's pictures/.
        out: Where to save the predictions: a .pkl file for mmdet, a folder of label maps for mmseg.
        deployed: Evaluate the model that `effnet_dense.deploy` returns.
        tta: Merge the predictions on flipped and resized images; boxes by 'nms' or 'wbf', see
            `use_tta`.
        cuda_graphs: On a GPU, run the model's parts from CUDA graphs, for images of one size.
        exported: The config's model is an exported file, which has its weights.

    Returns:
        The metrics, such as 'coco/bbox_mAP'.

    Raises:
        FileNotFoundError: The checkpoint or a data file is missing.
        FileExistsError: An output has the name of a file that the package did not write.
        ValueError: The checkpoint is damaged, of another model or lacks classes, `out` has the
            wrong suffix, `tta` does not fit the config, CUDA graphs cannot be used, or the
            test reads what an output would replace.
    """
    check_model(config)
    check_tested(config)
    if cuda_graphs:
        check_test_graphs(config.get('device'), bool(tta), bool(config.get('compile')))
    config.load_from = None if checkpoint is None else str(checkpoint)
    config.resume = False
    if checkpoint is not None:
        fit_to_detector(config, checkpoint)
    if show_dir is None:
        draw_predictions(config, Path(config.work_dir, 'pictures'), DRAWN)
    else:
        draw_predictions(config, show_dir)
    if tta:
        use_tta(config, None if tta is True else tta)
    else:
        check_one_view(config)
    segments = config.get('default_scope') == 'mmseg'
    if out is not None and not segments:
        _check_pickle(out)
    maps = _label_maps(config, out) if out is not None and segments else None
    check_data_files(config, ('test',))
    folders = [config.work_dir, show_dir, out if segments else None]
    folders = [folder for folder in folders if folder is not None]
    check_config_outputs(config, ('test',))
    check_run(config, ('test',), folders, [] if out is None or segments else [out])
    if checkpoint is not None:
        use_classes_of(config, checkpoint)
    runner = build_runner(config)
    if exported is not None:
        map_classes(runner, exported.classes, runner.test_loop.dataloader.dataset, exported.name)
    if out is not None and not segments:
        runner.test_evaluator.metrics.append(DumpDetections(out_file_path=str(out)))
    if maps is not None:
        runner.register_hook(maps)
    if tta:
        runner.register_hook(UnwrappedTTAHook(dict(config.tta_model)))
    if deployed:
        # After EMAHook, which may still swap weights.
        runner.register_hook(DeployHook(), priority='LOWEST')
    if cuda_graphs:
        runner.register_hook(InferenceGraphsHook())
    return runner.test()


def check_test_graphs(device: str | None, tta: bool = False, compiled: bool = False) -> None:
    """Raise a ValueError if a test cannot use CUDA graphs.

    Args:
        device: Such as 'cuda:1'; None: the one that mmengine chooses.
        tta: Whether predictions on several sizes of an image are merged.
        compiled: Whether the model's parts are compiled.
    """
    check_graphs_device(device or get_device())
    if tta:
        raise ValueError('cuda_graphs is for images of one size: expected it without tta')
    if compiled:
        raise ValueError(COMPILED)


def build_runner(config: Config) -> Runner:
    """Build the runner of the config's `runner_type`."""
    return RUNNERS.build(config)


def _check_pickle(out: str | Path) -> None:
    if Path(out).suffix not in PICKLES:
        raise ValueError(f'--out must end with one of {PICKLES} for detections, got {str(out)!r}')


def _label_maps(config: Config, folder: str | Path) -> LabelMapsHook | None:
    """Return the hook that writes label maps; None for Cityscapes' metric, which writes them."""
    metrics = metrics_of(config.get('test_evaluator'))
    official = [metric for metric in metrics if type_name(metric) == 'CityscapesMetric']
    for metric in official:
        metric.output_dir = str(folder)
        metric.keep_results = True
    return None if official else LabelMapsHook(folder)
