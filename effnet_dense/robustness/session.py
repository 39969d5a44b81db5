"""A trained model, its test data and its metric, evaluated again and again on changed images."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from effnet_dense.data import check_data_files
from effnet_dense.data.config_walk import is_segmentation, leaf_datasets, type_name
from effnet_dense.engine.checkpoint_of_run import use_classes_of
from effnet_dense.engine.checks.top_level import check_model, check_tested
from effnet_dense.engine.hooks.first_step import FirstStepHook
from effnet_dense.engine.hooks.mapped_classes import MappedClassesHook
from effnet_dense.engine.jobs import build_runner
from effnet_dense.engine.quiet import quiet_libraries
from effnet_dense.engine.settings.published_detector import fit_to_detector
from effnet_dense.engine.test_time import check_one_view
from effnet_dense.utils.wrappers import unwrap_model

Step = Callable[[Any], list[Any]]
"""A batch of a data loader → its data samples with predictions."""


class Session:
    """Evaluates one checkpoint on the config's test data.

    Args:
        config: From `load_config`; left unchanged.
        checkpoint: Any source of `effnet_dense.load_weights`.
        max_images: Evaluate this number of images, evenly spread over the test data; None: all.

    Attributes:
        config: The config as it is evaluated.
        runner: Built, with the checkpoint's weights.
        model: The model, in eval mode.
        first_step: Names errors of the config until an evaluation is complete.

    Raises:
        FileNotFoundError: The checkpoint or a data file is missing.
        ValueError: See `effnet_dense.engine.jobs.test`; or the run has several processes.
    """

    def __init__(self, config: Config, checkpoint: str, max_images: int | None = None) -> None:
        if config.get('launcher', 'none') != 'none':
            raise ValueError('a stress test runs in one process: expected it without --launcher')
        self.config = config = copy.deepcopy(config)
        self.max_images = max_images
        self.first_step = FirstStepHook()
        self.first_step.before_test(None)
        check_model(config)
        check_tested(config)
        check_one_view(config)
        config.load_from, config.resume, config.report = str(checkpoint), False, False
        fit_to_detector(config, checkpoint)
        config.test_dataloader.persistent_workers = False
        check_data_files(config, ('test',))
        use_classes_of(config, checkpoint)
        self.runner: Runner = build_runner(config)
        # Only a run has its averages; the weights of a checkpoint are the averaged ones already.
        self.runner._hooks = [hook for hook in self.runner.hooks if not isinstance(hook, EMAHook)]
        with quiet_libraries():
            self.runner._test_loop = self.runner.build_test_loop(self.runner._test_loop)
            self.runner.load_or_resume()
        self.model: Any = unwrap_model(self.runner.model).eval().requires_grad_(False)
        self._map_classes()

    def _map_classes(self) -> None:
        """Renumber predicted classes as `effnet-dense test` does."""
        hooks = [hook for hook in self.runner.hooks if isinstance(hook, MappedClassesHook)]
        self.mapped = bool(hooks)
        for hook in hooks:
            hook.before_test_epoch(self.runner)

    def step(self, batch: Any) -> list[Any]:
        """Predict on a batch of a data loader."""
        with torch.no_grad():
            found: list[Any] = self.runner.model.test_step(batch)
        return found

    def loader(
        self, transform: dict[str, Any] | None = None, truth_first: bool = False
    ) -> DataLoader:
        """Build the test's data loader.

        Args:
            transform: Config of a transform that follows the one which loads the image.
            truth_first: Load boxes and masks before images are resized, so that both fit.

        Raises:
            ValueError: The test pipeline loads no image.
        """
        given = copy.deepcopy(self.config.test_dataloader)
        for dataset in leaf_datasets(given.dataset):
            dataset.pipeline = changed_pipeline(
                dataset.get('pipeline') or [], transform, truth_first and not self.segments
            )
        with quiet_libraries():
            loader = self.runner.build_dataloader(given, seed=self.runner.seed)
            built: Any = loader.dataset
            count = len(built)
            if self.max_images is not None and self.max_images < count:
                built.get_subset_(spread(count, self.max_images))
                loader = self.runner.build_dataloader(
                    {**given, 'dataset': built}, seed=self.runner.seed
                )
        return loader

    @property
    def segments(self) -> bool:
        """Whether the model is mmseg's."""
        return is_segmentation(self.config)

    def evaluate(
        self,
        loader: DataLoader,
        step: Step | None = None,
        seen: Callable[[int], None] | None = None,
    ) -> dict[str, float]:
        """Evaluate the model on a data loader.

        Args:
            loader: From `loader`.
            step: What predicts; by default `step`.
            seen: Called after each batch with its number of images.

        Returns:
            The metrics.

        Raises:
            ValueError: The first evaluation fails by values of the config.
        """
        evaluator: Any = self.runner.test_evaluator
        dataset: Any = loader.dataset
        self._limit(evaluator, dataset)
        with quiet_libraries(), self.first_step.errors():
            for batch in loader:
                found = (step or self.step)(batch)
                evaluator.process(data_samples=found, data_batch=batch)
                if seen is not None:
                    seen(len(found))
            metrics: dict[str, float] = evaluator.evaluate(len(dataset))
        self.first_step.after_test(None)
        return metrics

    def _limit(self, evaluator: Any, dataset: Any) -> None:
        """Let COCO's metrics count the objects of the chosen images only."""
        for metric in evaluator.metrics if self.max_images is not None else ():
            if hasattr(metric, 'img_ids'):
                infos = (dataset.get_data_info(index) for index in range(len(dataset)))
                metric.img_ids = [info['img_id'] for info in infos]


def changed_pipeline(
    steps: Sequence[Any], transform: dict[str, Any] | None, truth_first: bool
) -> list[Any]:
    """Return a test pipeline with a transform after the image is loaded.

    Args:
        steps: The pipeline.
        transform: Config of the transform; None: none.
        truth_first: Let the steps that load annotations follow the image, before the others.

    Raises:
        ValueError: No step loads the image.
    """
    images = [at for at, step in enumerate(steps) if type_name(step).startswith('LoadImage')]
    if not images:
        raise ValueError(
            f'the test pipeline loads no image: expected a step LoadImage…, got '
            f'{", ".join(map(type_name, steps)) or "no step"}'
        )
    first, rest = list(steps[: images[-1] + 1]), list(steps[images[-1] + 1 :])
    if truth_first:
        loading = [step for step in rest if type_name(step).startswith('Load')]
        rest = [*loading, *(step for step in rest if step not in loading)]
    return [*first, *([transform] if transform is not None else []), *rest]


def spread(count: int, chosen: int) -> list[int]:
    """Return `chosen` indices, evenly spread over `count`."""
    return np.linspace(0, count - 1, chosen).round().astype(int).tolist()
