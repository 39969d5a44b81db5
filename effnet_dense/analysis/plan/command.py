"""Plan a training from the command line; the arguments are those of `effnet-dense plan`."""

from __future__ import annotations

import argparse
import contextlib
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from rich.console import Console

from effnet_dense.analysis.plan.candidate import Budget
from effnet_dense.analysis.plan.explain import command, docstring, reasons, table
from effnet_dense.analysis.plan.facts import look_at
from effnet_dense.analysis.plan.machine import this_machine
from effnet_dense.analysis.plan.planner import Plan, make_plan
from effnet_dense.analysis.plan.recipes import base_config
from effnet_dense.analysis.plan.written import check_new, config_text, write_config
from effnet_dense.data.parts import Division

THIS = 'this'


def plan_training(args: argparse.Namespace) -> None:
    """Plan a training, print why, and write its config.

    Raises:
        FileNotFoundError: There is no dataset.
        FileExistsError: The config exists.
        ValueError: The dataset has faults, or the budget is too small.
    """
    path = Path(args.out or f'plan_{_word(args.data)}.py')
    check_new(path)
    budget = Budget(args.minutes, args.gib, args.latency_ms)
    device = latency_device(args.on)
    division = Division(args.val_share, args.split_seed)
    with _progress() as say:
        say(f'looking at {args.data}')
        with contextlib.redirect_stdout(io.StringIO()):
            facts = look_at(args.data, args.task, division)
        machine = this_machine()
        print('\n'.join([*facts.describe(), f'machine: {machine}']), end='\n\n', flush=True)
        plan = make_plan(facts, machine, budget, say, device)
    lines = reasons(plan)
    print(table(plan), '\n'.join(lines), sep='\n\n')
    write_config(path, planned_text(plan, lines, path, args))
    print(f'\nwritten: {path}\ntrain:   {_command(path, args)}')


def planned_text(plan: Plan, lines: list[str], path: Path, args: argparse.Namespace) -> str:
    """Return the planned config as text."""
    name = plan.chosen.recipe.with_augmentation(plan.augmentation)
    base = base_config(plan.chosen.recipe, plan.augmentation)
    text = docstring(plan, lines, _command(path, args))
    return config_text(text, name, base, plan.config)


def latency_device(name: str | None) -> str | None:
    """Return the device of `--on`: None for where training runs.

    Raises:
        ValueError: This machine has no such device.
    """
    if name in (None, THIS):
        return None
    if not re.fullmatch(r'cpu|cuda(:\d+)?', str(name)):
        raise ValueError(
            f"--on expects 'this', 'cpu' or 'cuda': latencies are measured on this machine, got "
            f'{name!r}'
        )
    if name != 'cpu' and not torch.cuda.is_available():
        raise ValueError(f'--on {name}: torch finds no CUDA on this machine')
    return name


def _command(path: Path, args: argparse.Namespace) -> str:
    division = Division(args.val_share, args.split_seed)
    more = []
    if division.share != Division().share:
        more.append(f' --val-share {division.share:g}')
    if division.seed != Division().seed:
        more.append(f' --split-seed {division.seed}')
    return command(path, str(args.data)) + ''.join(more)


def _word(folder: str) -> str:
    """Return a name for a folder's plan."""
    name = Path(folder).expanduser().absolute().stem if folder != 'demo' else folder
    return re.sub(r'\W+', '_', name).strip('_') or 'data'


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Yield what shows what is being done: a line on a terminal, lines in a file."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda text: console.print(f'… {text}', markup=False, highlight=False)
        return
    with console.status('') as status:
        yield lambda text: status.update(f'{text} …')
