"""A plan from looking at the data to the written config, with measurements that are given."""

from __future__ import annotations

import argparse
import ast
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mmengine.config import Config

from effnet_dense.analysis.plan import command, planner
from effnet_dense.analysis.plan.candidate import Budget
from effnet_dense.analysis.plan.explain import reasons, table
from effnet_dense.analysis.plan.facts import Facts, look_at
from effnet_dense.analysis.plan.machine import GIB, Machine
from effnet_dense.analysis.plan.trial import Trial
from effnet_dense.data import make_demo
from effnet_dense.engine.config import load_config
from tests.helpers.tiny import write_data

MACHINE = Machine(cores=4, threads=4, ram=16 * GIB)
GPU = Machine(cores=16, threads=16, ram=64 * GIB, device='cuda', gpu='GPU', gpu_memory=24 * GIB)
GFLOPS = dict(lite0=1.0, lite1=1.5, lite2=2.0, lite3=3.0, lite4=4.0)
GFLOPS |= dict(b0=1.2, b1=1.8, b2=2.4, b3=4.0, b4=8.0)


class Measurements:
    """Stands in for a machine: 0.02 s for each 10⁹ multiply-adds of a training step's image."""

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor
        self.trials: list[str] = []

    def counts(self, config: Config) -> Any:
        gflops = GFLOPS[config.model.backbone.arch]
        return SimpleNamespace(parameters=int(4e6 * gflops), gflops=gflops, saved=5e7 * gflops)

    def step(self, config: Config, batch: int, size: Any, *_: Any) -> float:
        return 0.02 * batch * self.counts(config).gflops

    def inference(self, config: Config, *_: Any) -> float:
        return 0.005 * self.counts(config).gflops

    def peak(self, config: Config, setup: Any, gpu: bool) -> Any:
        return SimpleNamespace(total=5e7 + setup.batch_size * 8e7)

    def trial(self, config: Config, device: str, threads: int) -> Trial:
        backbone, batch = config.model.backbone.arch, config.train_dataloader.batch_size
        self.trials.append(backbone)
        side = config.model.data_preprocessor.get('batch_augments')
        pixels = side[0].size[0] * side[0].size[1] if side else 320 * 416
        seconds = 0.02 * batch * GFLOPS[backbone] * pixels / 256**2
        return Trial(8.0, self.factor * seconds, 0.05, 2 * GIB, GIB // 2)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Measurements:
    found = Measurements()
    for name, function in (
        ('Counts', found.counts),
        ('training_step_seconds', found.step),
        ('inference_seconds', found.inference),
        ('predict_peak', found.peak),
        ('loading_seconds', lambda config: 0.01),
        ('run_trial', found.trial),
        ('why_unavailable', lambda source: 'pip install timm' if 'timm' in source else ''),
    ):
        monkeypatch.setattr(planner, name, function)
    return found


@pytest.fixture(scope='module')
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo(tmp_path_factory.mktemp('plan') / 'demo', train=40, val=10)


def quiet(text: str) -> None:
    """Say nothing."""


def plan_for(facts: Facts, minutes: float = 60, machine: Machine = MACHINE, **more: Any) -> Any:
    return planner.make_plan(facts, machine, Budget(minutes, **more), quiet)


def test_the_chosen_one_is_measured(given: Measurements, demo: Path) -> None:
    plan = plan_for(look_at(demo, 'detection'))
    assert plan.chosen.measured and plan.chosen == plan.candidates[0]
    assert given.trials[-1] == plan.chosen.arch == 'lite2'
    assert plan.chosen.memory == 2 * GIB
    assert set(plan.left_out) == {'lite3', 'lite4', 'b0', 'b1', 'b2', 'b3', 'b4'}


def test_a_slower_trial_leads_to_a_smaller_choice(given: Measurements, demo: Path) -> None:
    facts = look_at(demo, 'detection')
    minutes = 5.0
    before = plan_for(facts, minutes).chosen
    given.factor = 2.5
    after = plan_for(facts, minutes).chosen
    assert after.gflops * after.schedule(Budget(minutes)).steps < before.gflops * 765
    assert after.measured and not after.excess(Budget(minutes), MACHINE.memory)


@pytest.mark.parametrize('task', ['detection', 'instances', 'semantic'])
@pytest.mark.parametrize('machine', [MACHINE, GPU], ids=['cpu', 'gpu'])
def test_words_are_short(task: str, machine: Machine, given: Measurements, demo: Path) -> None:
    plan = plan_for(look_at(demo, task), machine=machine)
    assert max(map(len, table(plan).splitlines())) <= 100
    lines = reasons(plan)
    assert len(lines) <= 15
    assert lines[0].startswith('chosen: ') and 'not predicted' in lines[-1]
    assert sum(line.startswith('→') for line in table(plan).splitlines()) == 1


def test_why_this_batch(given: Measurements, demo: Path) -> None:
    plan = plan_for(look_at(demo, 'detection'))
    assert plan.chosen.batch == 4
    assert any('a step, 0.001, as the recipe was tested' in line for line in reasons(plan))
    doubled = replace(plan, chosen=replace(plan.chosen, batch=8))
    assert any('linear scaling from 4' in line for line in reasons(doubled))


def test_why_nothing_larger_was_chosen(given: Measurements, demo: Path) -> None:
    plan = plan_for(look_at(demo, 'detection'), minutes=5)
    steps = 2 * plan.chosen.shortest
    assert any(f'fewer than {steps} steps, twice the shortest' in line for line in reasons(plan))


def test_nothing_fits(given: Measurements, demo: Path) -> None:
    facts = look_at(demo, 'detection')
    with pytest.raises(ValueError, match=r'too small for each of \d+ candidates: .* minutes for'):
        plan_for(facts, 0.5)
    with pytest.raises(ValueError, match=r'GiB of memory \(--gib gives 0.1\)'):
        plan_for(facts, gib=0.1)
    with pytest.raises(ValueError, match=r'ms per image \(--latency-ms gives 1\)'):
        plan_for(facts, latency_ms=1)


def test_a_network_of_the_data(demo: Path) -> None:
    for recipe in planner.RECIPES:
        facts = look_at(demo, recipe.task)
        model = planner.network_config(recipe, 'lite1', facts).model
        head = model.get('decode_head') or model.get('roi_head', model).bbox_head
        assert head.num_classes == len(facts.classes)
        assert model.backbone.init_cfg is None


def arguments(data: Path | str, out: Path, **more: Any) -> argparse.Namespace:
    values: dict[str, Any] = dict(
        data=str(data), minutes=30.0, gib=None, latency_ms=None, on=None, task=None, out=str(out)
    )
    return argparse.Namespace(**{**values, 'val_share': 0.2, 'split_seed': 0, **more})


@pytest.mark.parametrize('task', ['detection', 'semantic'])
def test_the_written_config_takes_the_data(
    task: str,
    given: Measurements,
    demo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, 'this_machine', lambda: MACHINE)
    path = tmp_path / 'a plan.py'
    command.plan_training(arguments(demo, path, task=task))
    printed = capsys.readouterr().out
    assert f"effnet-dense train '{path}' --data {demo}" in printed
    assert max(map(len, printed.split('written:')[0].splitlines())) <= 140
    config = load_config(path, data=demo)
    head = config.model.get('decode_head') or config.model.bbox_head
    assert head.num_classes == (7 if task == 'semantic' else 6)
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding='utf-8')))
    assert docstring is not None and 'chosen: ' in docstring
    if task == 'semantic':
        weights = config.model.decode_head.loss_decode[0].class_weight
        assert len(weights) == 7 and weights[0] < 1 < max(weights)
    with pytest.raises(FileExistsError, match='overwrites nothing'):
        command.plan_training(arguments(demo, path, task=task))


def test_faults_of_the_command_line(tmp_path: Path) -> None:
    write_data(tmp_path / 'data')
    out = tmp_path / 'plan.py'
    with pytest.raises(ValueError, match='--on expects'):
        command.plan_training(arguments(tmp_path / 'data', out, on='phone'))
    with pytest.raises(ValueError, match='--minutes must be'):
        command.plan_training(arguments(tmp_path / 'data', out, minutes=float('inf')))
    with pytest.raises(FileNotFoundError):
        command.plan_training(arguments(tmp_path / 'nothing', out))
    assert not out.exists()
    assert command.latency_device('cpu') == 'cpu'
    assert command.latency_device('this') is None
