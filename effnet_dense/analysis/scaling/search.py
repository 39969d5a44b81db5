"""Search α, β, γ with short training runs of a config, scaled by each candidate of a grid.

Source: EfficientNet (arXiv 1905.11946), section 3.3, step 1: fix φ = 1, and search the constants
on the small network; step 2 scales by φ with them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from effnet_dense.analysis.counts import count_gflops, count_parameters
from effnet_dense.analysis.memory.image_size import network_input_size
from effnet_dense.analysis.scaling.grid import BASE, Candidate
from effnet_dense.analysis.scaling.networks import build_dense_network, build_on_meta
from effnet_dense.analysis.scaling.rescale import scale_config
from effnet_dense.analysis.scaling.short_training import (
    default_metric,
    set_training_steps,
    train_and_evaluate,
)
from effnet_dense.utils.json_text import json_text
from effnet_dense.utils.outputs import write_output

SETTINGS_FILE, RESULT_FILE = 'search.json', 'result.json'


@dataclass(frozen=True)
class Result:
    """A candidate's cost and metric; size is (height, width) in pixels."""

    candidate: Candidate
    size: tuple[int, int]
    arch: dict[str, Any]
    parameters: int
    gflops: float
    metric: float


@dataclass(frozen=True)
class Search:
    """A search in a folder.

    Args:
        config: From `load_config`; not changed.
        folder: Folder for one subfolder per candidate, and the search's own files.
        steps: Steps of each training run; None keeps the config's schedule.
        size: The longer side of the unscaled images; None keeps the config's.
        metric: Metric to maximise; by default the one of the config's evaluator.
    """

    config: Config
    folder: Path
    steps: int | None = None
    size: int | None = None
    metric: str | None = None

    def run(
        self,
        grid: Sequence[Candidate],
        resume: bool = False,
        on_result: Callable[[Result], None] = lambda result: None,
    ) -> list[Result]:
        """Train the unscaled network and every candidate; finished ones are read from the folder.

        Args:
            grid: The candidates.
            resume: Resume the search that the folder holds.
            on_result: Called with each result.

        Raises:
            FileExistsError: The folder holds a search, and `resume` is false.
            ValueError: It holds a search with other settings, or the config cannot be scaled.
        """
        metric = self.metric or default_metric(self.config)
        candidates = [BASE, *grid]
        configs = [self.scaled(candidate) for candidate in candidates]  # fails before any training
        self._open_folder(resume, metric)
        results = []
        for candidate, config in zip(candidates, configs, strict=True):
            results.append(self._result(candidate, config, metric))
            on_result(results[-1])
        return results

    def scaled(self, candidate: Candidate) -> Config:
        """Return the config of a candidate's training run."""
        config = deepcopy(self.config)
        scale_config(config, candidate, self.size)
        if self.steps is not None:
            set_training_steps(config, self.steps)
        return config

    def cost(self, candidate: Candidate) -> tuple[int, float]:
        """Return parameters, and 10⁹ multiply-adds for one image."""
        return _count(self.scaled(candidate))

    def _open_folder(self, resume: bool, metric: str) -> None:
        settings = dict(
            config=self.config.filename,
            content=hashlib.sha256(self.config.dump().encode()).hexdigest(),  # data and options
            steps=self.steps,
            size=self.size,
            metric=metric,
        )
        file = self.folder / SETTINGS_FILE
        if file.is_file():
            before = json.loads(file.read_text(encoding='utf-8'))
            if not resume:
                raise FileExistsError(
                    f'{self.folder} holds a search: resume it with --resume auto, or choose '
                    'another --work-dir'
                )
            if before != settings:
                raise ValueError(f'{self.folder} holds a search of {before}, got {settings}')
        else:
            _write_json(file, settings)

    def _result(self, candidate: Candidate, config: Config, metric: str) -> Result:
        folder = self.folder / candidate.name
        file = folder / RESULT_FILE
        if file.is_file():
            return _read_result(file)
        parameters, gflops = _count(config)
        size, arch = network_input_size(config), dict(config.model.backbone.arch)
        value = train_and_evaluate(config, folder, metric)
        result = Result(candidate, size, arch, parameters, gflops, value)
        _write_json(file, asdict(result))
        return result


def best_result(results: Sequence[Result]) -> Result:
    """Return the scaled candidate with the largest metric; of equal ones the first.

    Raises:
        ValueError: There is no candidate but the unscaled network.
    """
    scaled = [result for result in results if result.candidate != BASE]
    if not scaled:
        raise ValueError('there is no candidate but the unscaled network')
    return max(scaled, key=lambda result: result.metric)


def _count(config: Config) -> tuple[int, float]:
    model = build_on_meta(lambda: build_dense_network(config))
    height, width = network_input_size(config)
    image = torch.empty(1, 3, height, width, device='meta')
    return count_parameters(model), count_gflops(model, image)


def _write_json(file: Path, content: dict[str, Any]) -> None:
    write_output(file, json_text(content, 2) + '\n')


def _read_result(file: Path) -> Result:
    content = json.loads(file.read_text(encoding='utf-8'))
    content.update(candidate=Candidate(**content['candidate']), size=tuple(content['size']))
    return Result(**content)
