"""Train and test a config: what tools/train.py and tools/test.py call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook, PrepareTTAHook
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from torch import nn

from effnet_dense.data import check_data_files
from effnet_dense.data.config_walk import type_name
from effnet_dense.deployment import deploy
from effnet_dense.engine.config import (
    augment_tests,
    resume_from,
    scale_learning_rate,
    show_in,
    use_amp,
)
from effnet_dense.utils.wrappers import unwrap_model

PICKLES = ('.pkl', '.pickle')
# mmseg's metrics that write label maps.
LABEL_MAP_METRICS = ('IoUMetric', 'CityscapesMetric')
# Pictures that a test leaves unasked.
SAMPLE = 20


def train(
    config: Config, amp: bool = False, resume: str | None = None, auto_scale_lr: bool = False
) -> nn.Module:
    """Train a model as its config says.

    Args:
        config: From `load_config`.
        amp: In mixed precision.
        resume: A checkpoint to go on from, or 'auto' for the last one in the work folder.
        auto_scale_lr: Scale the learning rate to the images a step of this run.

    Returns:
        The trained model.

    Raises:
        FileNotFoundError: a checkpoint or data file is missing.
        ValueError: the config does not fit itself, its weights or its data.
    """
    if amp:
        use_amp(config)
    if auto_scale_lr:
        scale_learning_rate(config)
    if resume is not None:
        resume_from(config, resume)
    check_data_files(config, ('train', 'val'))
    return build_runner(config).train()


def test(
    config: Config,
    checkpoint: str,
    show_dir: str | Path | None = None,
    out: str | Path | None = None,
    deployed: bool = False,
    tta: bool = False,
) -> dict[str, float]:
    """Evaluate a checkpoint on the config's test data.

    Args:
        config: From `load_config`.
        checkpoint: Any source of `effnet_dense.load_weights`.
        show_dir: Draw every picture's prediction beside its ground truth into this folder; by
            default twenty of them, into the work folder's pictures/.
        out: Keep the predictions: a .pkl file of mmdet's, or a folder for mmseg's label maps.
        deployed: Evaluate what `effnet_dense.deploy` makes of the model.
        tta: Merge the predictions on flipped and resized pictures, as the config says.

    Returns:
        The metrics, such as 'coco/bbox_mAP'.

    Raises:
        FileNotFoundError: the checkpoint or a data file is missing.
        ValueError: the checkpoint is damaged or of another model, `out` has the wrong form, or
            the config knows no augmentations.
    """
    config.load_from = str(checkpoint)
    config.resume = False
    if show_dir is None:
        show_in(config, Path(config.work_dir, 'pictures'), SAMPLE)
    else:
        show_in(config, show_dir)
    if tta:
        augment_tests(config)
    segments = config.get('default_scope') == 'mmseg'
    if out is not None:
        _keep_label_maps(config, out) if segments else _check_pickle(out)
    check_data_files(config, ('test',))
    runner = build_runner(config)
    if out is not None and not segments:
        from mmdet.evaluation import DumpDetResults

        runner.test_evaluator.metrics.append(DumpDetResults(out_file_path=str(out)))
    if tta:
        runner.register_hook(MergeHook(dict(config.tta_model)))
    if deployed:
        # Behind EMAHook, which may still swap weights.
        runner.register_hook(DeployHook(), priority='LOWEST')
    return runner.test()


class DeployHook(Hook):
    """Puts the model for inference in the place of the one that was loaded, before it is tested."""

    def before_test_epoch(self, runner: Runner) -> None:
        """Replace the model."""
        runner.model = deploy(unwrap_model(runner.model))


class MergeHook(PrepareTTAHook):
    """Puts a BaseTTAModel around the model, which merges the predictions on augmented pictures."""

    def before_test(self, runner: Runner) -> None:
        """Replace the model."""
        runner.model = unwrap_model(runner.model)
        super().before_test(runner)


def build_runner(config: Config) -> Runner:
    """The runner that the config names by its `runner_type`."""
    return RUNNERS.build(config)


def _check_pickle(out: str | Path) -> None:
    if Path(out).suffix not in PICKLES:
        raise ValueError(f'--out must end with one of {PICKLES} for detections, got {str(out)!r}')


def _keep_label_maps(config: Config, folder: str | Path) -> None:
    metrics: Any = config.test_evaluator
    for metric in metrics if isinstance(metrics, list) else [metrics]:
        if type_name(metric) in LABEL_MAP_METRICS:
            metric.output_dir = str(folder)
            metric.keep_results = True
