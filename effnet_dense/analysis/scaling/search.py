"""The search for α, β, γ: short trainings of a config scaled by each candidate of a grid.

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

from effnet_dense.analysis.counts import gflops, parameters
from effnet_dense.analysis.memory.size import network_size
from effnet_dense.analysis.scaling.grid import BASE, Candidate
from effnet_dense.analysis.scaling.networks import tensor_parts, without_memory
from effnet_dense.analysis.scaling.output import write_json
from effnet_dense.analysis.scaling.rescale import scale_config
from effnet_dense.analysis.scaling.short import metric_of, shorten, train_and_evaluate

SETTINGS, RESULT = 'search.json', 'result.json'


@dataclass(frozen=True)
class Result:
    """What a candidate costs and reaches; size is height and width in pixels."""

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
        config: From `load_config`; is not changed.
        folder: For a folder of each candidate, and what the search itself writes.
        steps: Of each training; None trains as long as the config says.
        size: The longer side of the unscaled pictures; None leaves the config's.
        metric: By default that of the config's evaluator.
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
        tick: Callable[[Result], None] = lambda result: None,
    ) -> list[Result]:
        """Train the unscaled network and every candidate; those that are finished are read.

        Args:
            resume: Go on in a folder that holds a search.
            tick: Called with each result.

        Raises:
            FileExistsError: The folder holds a search, and `resume` is false.
            ValueError: It holds a search of other settings, or the config cannot be scaled.
        """
        metric = self.metric or metric_of(self.config)
        every = [BASE, *grid]
        scaled = [self.scaled(candidate) for candidate in every]  # errors before any training
        self._open(resume, metric)
        results = []
        for candidate, config in zip(every, scaled, strict=True):
            results.append(self._result(candidate, config, metric))
            tick(results[-1])
        return results

    def scaled(self, candidate: Candidate) -> Config:
        """The config of a candidate's training."""
        config = deepcopy(self.config)
        scale_config(config, candidate, self.size)
        if self.steps is not None:
            shorten(config, self.steps)
        return config

    def cost(self, candidate: Candidate) -> tuple[int, float]:
        """Parameters, and 10⁹ multiply-adds of one picture."""
        return _cost(self.scaled(candidate))

    def _open(self, resume: bool, metric: str) -> None:
        settings = dict(
            config=self.config.filename,
            content=hashlib.sha256(self.config.dump().encode()).hexdigest(),  # data and options
            steps=self.steps,
            size=self.size,
            metric=metric,
        )
        file = self.folder / SETTINGS
        if file.is_file():
            before = json.loads(file.read_text())
            if not resume:
                raise FileExistsError(
                    f'{self.folder} holds a search: go on with --resume auto, or take another '
                    '--work-dir'
                )
            if before != settings:
                raise ValueError(f'{self.folder} holds a search of {before}, got {settings}')
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(file, settings)

    def _result(self, candidate: Candidate, config: Config, metric: str) -> Result:
        folder = self.folder / candidate.name
        file = folder / RESULT
        if file.is_file():
            return _read(file)
        count, flops = _cost(config)
        size, arch = network_size(config), dict(config.model.backbone.arch)
        value = train_and_evaluate(config, folder, metric)
        result = Result(candidate, size, arch, count, flops, value)
        write_json(file, asdict(result))
        return result


def best(results: Sequence[Result]) -> Result:
    """The candidate with the largest metric, the unscaled network left out; of equals the first.

    Raises:
        ValueError: There is no candidate.
    """
    scaled = [result for result in results if result.candidate != BASE]
    if not scaled:
        raise ValueError('there is no candidate but the unscaled network')
    return max(scaled, key=lambda result: result.metric)


def _cost(config: Config) -> tuple[int, float]:
    model = without_memory(lambda: tensor_parts(config))
    height, width = network_size(config)
    return parameters(model), gflops(model, torch.empty(1, 3, height, width, device='meta'))


def _read(file: Path) -> Result:
    content = json.loads(file.read_text())
    content.update(candidate=Candidate(**content['candidate']), size=tuple(content['size']))
    return Result(**content)
