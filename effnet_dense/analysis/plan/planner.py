"""Plan a training: look, measure a few networks, estimate all, choose, measure the chosen one."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mmengine.config import Config

from effnet_dense.analysis.memory.config_forecast import RESERVE
from effnet_dense.analysis.memory.peak import predict_peak, training_setup
from effnet_dense.analysis.plan import rules
from effnet_dense.analysis.plan.available import why_unavailable
from effnet_dense.analysis.plan.candidate import Budget, Candidate
from effnet_dense.analysis.plan.choose import first_that_fits, nothing_fits, possible
from effnet_dense.analysis.plan.estimates import (
    Memory,
    Point,
    Speed,
    fit_memory,
    fit_speed,
    iteration_seconds,
)
from effnet_dense.analysis.plan.facts import Facts
from effnet_dense.analysis.plan.machine import GIB, Machine
from effnet_dense.analysis.plan.measure import (
    COUNTED,
    Counts,
    inference_seconds,
    loading_seconds,
    training_step_seconds,
)
from effnet_dense.analysis.plan.recipes import (
    BACKBONES,
    RECIPES,
    Recipe,
    Size,
    base_config,
    set_backbone,
    set_class_weights,
    set_schedule,
    set_size,
)
from effnet_dense.analysis.plan.trial import Trial, resident, run_trial
from effnet_dense.data.user_data import use_data
from effnet_dense.engine.settings.workers import set_workers
from effnet_dense.weights.zoo import IMAGENET_WEIGHTS

MEASURED = {'lite': ('lite0', 'lite2'), 'b': ('b0', 'b2')}
"""Family → the networks that are measured for it."""

FORECAST = (2, 6)
"""Images of the two forecasts through which memory's line goes."""

ADAM_STATES = 8
"""Bytes per parameter: two moments, float32."""

TRIALS = 3
START = 15.0
"""Seconds until a training begins, before it was measured."""

TOO_SLOW = 3.0
"""Networks that need this many times the budget are not looked at, nor larger ones."""

Say = Callable[[str], None]


@dataclass
class Survey:
    """What was measured and counted, for the candidates of a task.

    Args:
        facts: The dataset.
        machine: Where training will run.
        budget: What it may take.
        say: Told what is being done.
        device: On which latencies are measured.
    """

    facts: Facts
    machine: Machine
    budget: Budget
    say: Say
    device: str
    groups: list[list[Candidate]] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    load: float = 0.0

    def run(self) -> None:
        """Fill `groups`: lists of candidates that differ in batch size only."""
        for arch in BACKBONES:
            reason = why_unavailable(IMAGENET_WEIGHTS[arch])
            if reason:
                self.left_out[arch] = reason
        for recipe in (r for r in RECIPES if r.task == self.facts.task):
            self.load = self.load or self._measure_loading(recipe)
            memory = self._forecast(recipe)
            for family, measured in MEASURED.items():
                self._survey_family(recipe, family, measured, memory)

    def _survey_family(
        self, recipe: Recipe, family: str, measured: tuple[str, str], memory: Memory
    ) -> None:
        archs = [a for a in BACKBONES if a.startswith(family) and a not in self.left_out]
        needs = [c.needed_minutes() for group in self.groups for c in group if c.recipe == recipe]
        if not archs or (needs and min(needs) > self.budget.minutes):
            return  # B networks are slower than Lite ones
        steps, passes = self._measure(recipe, measured)
        for arch in archs:
            self.say(f'counting {recipe.label} on {arch}')
            counts = Counts(network_config(recipe, arch, self.facts))
            found = [
                self._group(recipe, arch, size, counts, steps, passes, memory)
                for size in sizes(recipe, arch, self.facts)
            ]
            self.groups += found
            if min(group[0].needed_minutes() for group in found) > TOO_SLOW * self.budget.minutes:
                return

    def _measure(self, recipe: Recipe, archs: tuple[str, str]) -> tuple[Speed, Speed]:
        steps, passes = [], []
        size, batch = Size(COUNTED, COUNTED), 8 if self.machine.on_gpu else 2
        pixels = size.pixels
        for arch in archs:
            self.say(f'measuring {recipe.label} on {arch}')
            config = network_config(recipe, arch, self.facts)
            gflops = Counts(config).gflops
            seconds = training_step_seconds(
                config, batch, size, self.facts.per_image, self.machine.device
            )
            steps.append(Point(batch, pixels, gflops, seconds))
            passes.append(Point(1, pixels, gflops, inference_seconds(config, size, self.device)))
        return fit_speed(steps), fit_speed(passes)

    def _measure_loading(self, recipe: Recipe) -> float:
        self.say('measuring how fast images are loaded')
        config = base_config(recipe)
        use_facts(config, self.facts)
        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints
            return loading_seconds(config)

    def _forecast(self, recipe: Recipe) -> Memory:
        arch = 'lite0'
        self.say(f'forecasting the memory of {recipe.label}')
        config = network_config(recipe, arch, self.facts)
        counts = Counts(config)
        config.optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1))
        states = ADAM_STATES * counts.parameters  # AdamW's own step takes most of a forecast's time
        peaks = [
            states
            + predict_peak(
                config,
                training_setup(config, batch, COUNTED, objects=self.facts.per_image),
                self.machine.on_gpu,
            ).total
            for batch in FORECAST
        ]
        small, large = zip(FORECAST, peaks, strict=True)
        return fit_memory(counts, small, large)

    def _group(
        self,
        recipe: Recipe,
        arch: str,
        size: Size,
        counts: Counts,
        steps: Speed,
        passes: Speed,
        memory: Memory,
    ) -> list[Candidate]:
        base_batch = base_config(recipe).auto_scale_lr.base_batch_size
        resized = size.resizing
        latency = passes.seconds(1, size.scale[0] * size.scale[1], counts.gflops)
        found = []
        for batch in rules.batch_sizes(base_batch, self.facts.train, self.machine.on_gpu):
            step = steps.seconds(batch, size.pixels, counts.gflops)
            candidate = Candidate(
                recipe=recipe,
                arch=arch,
                size=size,
                batch=batch,
                counts=counts,
                memory=memory.bytes(counts, batch, size.pixels),
                step=self._iteration(step, batch),
                evaluation=START + evaluated(recipe, self.facts) * (latency + self.load),
                latency=latency,
                share_8=self.facts.share_from(8, resized),
                share_16=self.facts.share_from(16, resized),
                images=self.facts.train,
                reserve=reserve(self.machine),
            )
            found.append(candidate)
        return found

    def _iteration(self, step: float, batch: int) -> float:
        machine = self.machine
        workers = self.workers(step, batch)
        return iteration_seconds(
            step, batch, self.load, workers, machine.cores, machine.threads, machine.on_gpu
        )

    def workers(self, step: float, batch: int) -> int:
        """Return the processes that load images for steps of this length."""
        return rules.workers(batch, self.load, step, self.machine.cores, self.machine.on_gpu)


@dataclass(frozen=True)
class Plan:
    """A choice with everything that it was made from.

    Attributes:
        facts: The dataset.
        machine: Where it was measured.
        budget: Its limits.
        candidates: One for each recipe, backbone and size, the best first.
        chosen: One of them, measured.
        config: The planned config, without data.
        augmentation: See `rules.augmentation`.
        estimated: The chosen one before it was measured.
        trial: Its measurement.
        left_out: Backbone → why it was not considered.
    """

    facts: Facts
    machine: Machine
    budget: Budget
    candidates: list[Candidate]
    chosen: Candidate
    config: Config
    augmentation: str
    estimated: Candidate
    trial: Trial
    left_out: dict[str, str]


def make_plan(
    facts: Facts, machine: Machine, budget: Budget, say: Say, latency_device: str | None = None
) -> Plan:
    """Choose a training for a dataset, a machine and a budget.

    Args:
        facts: The dataset.
        machine: This machine: it is measured.
        budget: The limits.
        say: Told what is being done.
        latency_device: On which latencies are measured; by default where training runs.

    Raises:
        ValueError: The budget is too small for every candidate; the message names the nearest.
    """
    survey = Survey(facts, machine, budget, say, latency_device or machine.device)
    survey.run()
    estimated: dict[object, Candidate] = {}
    trials: dict[object, Trial] = {}
    for _ in range(TRIALS):
        found = best_of(survey.groups, budget, machine.memory)
        ranked = possible(found, budget, machine.memory)
        if not ranked or ranked[0].measured:
            break
        best = ranked[0]
        say(f'training {best.title()} for a few steps')
        config, augmentation = planned_config(best, facts, budget, machine, survey)
        trial = run_trial(with_data(config, facts), machine.device, machine.threads)
        estimated[best.key], trials[best.key] = best, trial
        network = network_config(best.recipe, best.arch, facts)
        latency = inference_seconds(network, best.size, survey.device)
        survey.groups = [corrected(g, best, trial, latency, facts) for g in survey.groups]
    found = best_of(survey.groups, budget, machine.memory)
    ranked = possible(found, budget, machine.memory)
    chosen = next((c for c in ranked if c.measured), None)
    if chosen is None:
        raise ValueError(nothing_fits(found, budget, machine.memory))
    config, augmentation = planned_config(chosen, facts, budget, machine, survey)
    return Plan(
        facts=facts,
        machine=machine,
        budget=budget,
        candidates=[*ranked, *(c for c in found if c not in ranked)],
        chosen=chosen,
        config=config,
        augmentation=augmentation,
        estimated=estimated[chosen.key],
        trial=trials[chosen.key],
        left_out=survey.left_out,
    )


def best_of(groups: list[list[Candidate]], budget: Budget, memory: float) -> list[Candidate]:
    """Return the preferred batch size of each group."""
    return [first_that_fits(group, budget, memory) for group in groups]


def corrected(
    group: list[Candidate], tried: Candidate, trial: Trial, latency: float, facts: Facts
) -> list[Candidate]:
    """Put a trial's figures in place of estimates, and scale those of the same recipe.

    Args:
        group: Candidates.
        tried: The one that was tried.
        trial: Its times and memory.
        latency: Its measured seconds for one image.
        facts: The dataset.
    """
    time = trial.step / tried.step
    memory = trial.memory / tried.memory if trial.memory else 1.0
    evaluation = trial.start + evaluated(tried.recipe, facts) * trial.evaluation
    changed = []
    for candidate in group:
        if candidate.key == tried.key:
            candidate = replace(
                candidate,
                step=trial.step,
                memory=trial.memory or candidate.memory,
                reserve=trial.own or candidate.reserve,
                evaluation=evaluation,
                latency=latency,
                measured=True,
            )
        elif candidate.recipe == tried.recipe and not candidate.measured:
            candidate = candidate.scaled(time, memory)
        changed.append(candidate)
    return changed


def evaluated(recipe: Recipe, facts: Facts) -> int:
    """Return how many images are evaluated in a whole training."""
    return facts.val * (1 if recipe.task == 'semantic' else 3)


def reserve(machine: Machine) -> float:
    """Return the bytes that training needs beside its tensors: CUDA's, or the process's own."""
    return RESERVE * GIB if machine.on_gpu else float(resident('VmRSS'))


def sizes(recipe: Recipe, arch: str, facts: Facts) -> list[Size]:
    """Return the sizes of images to try."""
    if recipe.base_size:
        sides = rules.square_sizes(arch, recipe.base_size, facts.long_side)
        return [Size((side, side), (side, side)) for side in sides]
    width, height = facts.image_size
    one_size = bool((facts.images == facts.images[0]).all())
    found = []
    for factor in rules.scale_factors(facts.long_side):
        scale = (round(width * factor), round(height * factor))
        own = factor == 1.0 and one_size
        found.append(Size(scale, rules.crop_sides(*scale), own))
    return found


def network_config(recipe: Recipe, arch: str, facts: Facts) -> Config:
    """Return a config whose network has a backbone and the data's classes, without weights."""
    config = base_config(recipe)
    set_backbone(config, recipe, arch)
    config.model.backbone.init_cfg = None
    if recipe.task == 'semantic':
        set_class_weights(config, [1.0] * len(facts.classes))
        return config
    head = config.model.roi_head if 'roi_head' in config.model else config.model
    for part in ('bbox_head', 'mask_head'):
        if part in head:
            head[part].num_classes = len(facts.classes)
    return config


def planned_config(
    candidate: Candidate, facts: Facts, budget: Budget, machine: Machine, survey: Survey
) -> tuple[Config, str]:
    """Return a candidate's config without data, and its augmentation."""
    schedule = candidate.schedule(budget)
    recipe = candidate.recipe
    small = 1 - facts.share_from(32, candidate.size.resizing)
    augmentation = rules.augmentation(recipe.task, schedule.epochs, small, facts.has_rare_classes)
    if recipe.with_augmentation(augmentation) == recipe.config:
        augmentation = 'jitter'
    config = base_config(recipe, augmentation)
    set_backbone(config, recipe, candidate.arch)
    set_size(config, candidate.size)
    set_schedule(config, recipe, schedule, candidate.batch)
    set_workers(config, survey.workers(candidate.step, candidate.batch))
    if recipe.task == 'semantic':
        counts = [facts.objects[name] for name in facts.classes]
        set_class_weights(config, rules.class_weights(counts))
    return config, augmentation


def with_data(config: Config, facts: Facts) -> Config:
    """Return a copy of a config with its data."""
    copied = Config(config.to_dict())
    use_facts(copied, facts)
    return copied


def use_facts(config: Config, facts: Facts) -> None:
    """Point a config at the dataset; its summary was shown before."""
    with contextlib.redirect_stdout(io.StringIO()):
        use_data(config, facts.root, division=facts.division)
