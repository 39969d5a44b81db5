"""Put a plan into words: a table of its candidates, the choice and the reasons for it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from effnet_dense.analysis.plan import rules
from effnet_dense.analysis.plan.candidate import Candidate
from effnet_dense.analysis.plan.machine import GIB
from effnet_dense.analysis.plan.planner import Plan
from effnet_dense.analysis.plan.recipes import base_config, published_figure
from effnet_dense.utils.counted import counted
from effnet_dense.weights.zoo import IMAGENET_WEIGHTS

ROWS = 16
HEADINGS = (
    *('', 'config', 'backbone', 'size', 'batch', 'epochs', 'min', 'GiB', 'ms', 'M', 'G'),
    *('≥ 8 px', '≥ 16', 'COCO AP', 'verdict'),
)
LEFT = ('config', 'backbone', 'verdict')
NOTE = """\
min, GiB: training (* measured, others estimated); ms: one image; M: 10⁶ parameters; G: 10⁹
multiply-adds; ≥ 8 px, ≥ 16: share of objects whose sides are at least that; COCO AP: published
for the family's member at its own size"""


def table(plan: Plan, rows: int = ROWS) -> str:
    """Return the candidates, the best first; of one network only the best sizes."""
    shown = _shown(plan, rows)
    cells = [HEADINGS, *(_row(candidate, plan) for candidate in shown)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [_line(cell, widths) for cell in cells]
    if len(shown) < len(plan.candidates):
        lines.append(f'… {len(plan.candidates) - len(shown)} more')
    return '\n'.join([*lines, NOTE])


def _shown(plan: Plan, rows: int) -> list[Candidate]:
    """Return the candidates of a table: each network's best size, then others by rank."""
    order = {candidate.key: i for i, candidate in enumerate(plan.candidates)}
    firsts: dict[tuple[str, str], Candidate] = {}
    for candidate in plan.candidates:
        firsts.setdefault((candidate.recipe.config, candidate.arch), candidate)
    others = [c for c in plan.candidates if c not in firsts.values()]
    chosen = [plan.chosen, *(c for c in [*firsts.values(), *others] if c != plan.chosen)]
    return sorted(chosen[:rows], key=lambda c: (c != plan.chosen, order[c.key]))


def _row(candidate: Candidate, plan: Plan) -> tuple[str, ...]:
    schedule = candidate.schedule(plan.budget)
    figure = published_figure(candidate.recipe, candidate.arch)
    return (
        '→' if candidate == plan.chosen else '',
        candidate.recipe.label,
        candidate.arch,
        str(candidate.size).replace(' ', ''),
        str(candidate.batch),
        str(schedule.epochs),
        f'{candidate.seconds(schedule) / 60:.1f}{"*" if candidate.measured else ""}',
        f'{candidate.memory / GIB:.2f}{"*" if candidate.measured else ""}',
        f'{1000 * candidate.latency:.0f}',
        f'{candidate.counts.parameters / 1e6:.1f}',
        f'{candidate.gflops:.3g}',
        f'{candidate.share_8:.0%}',
        f'{candidate.share_16:.0%}',
        '' if figure is None else f'{figure:.1f}',
        _verdict(candidate, plan),
    )


def _verdict(candidate: Candidate, plan: Plan) -> str:
    if candidate == plan.chosen:
        return 'chosen'
    excess = candidate.excess(plan.budget, plan.machine.memory)
    return 'too much ' + ', '.join(excess) if excess else 'fits'


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    parts = [
        cell.ljust(width) if heading in LEFT or not heading else cell.rjust(width)
        for cell, width, heading in zip(cells, widths, HEADINGS, strict=True)
    ]
    return ' '.join(parts).rstrip()


def reasons(plan: Plan) -> list[str]:
    """Return the choice and why, one line for each decision."""
    chosen, facts = plan.chosen, plan.facts
    found = [
        f'chosen: {chosen.title()}',
        f'  image size: {_why_size(plan)}',
        f'  network: {_why_network(plan)}',
        f'  length: {_why_length(plan)}',
        f'  batch, rate: {_why_batch(plan)}',
        f'  augmentation: {_why_augmentation(plan)}',
        f'  backbone: {_why_backbone(plan)}',
        f'  time: {_time(plan)}',
        f'  memory: {_memory(plan)}',
    ]
    if plan.left_out:
        found.append(f'  left out: {_left_out(plan.left_out)}')
    if facts.task == 'semantic':
        found.append('  class weights: (median ÷ share of pixels)^0.35, median frequency balancing')
    found.append('not predicted: the accuracy, which only training shows')
    return found


def _why_size(plan: Plan) -> str:
    chosen, facts = plan.chosen, plan.facts
    what = 'objects' if facts.task != 'semantic' else "the classes' pixels in regions"
    seen = f'{chosen.share_8:.0%} of {what} ≥ 8 px (a cell of stride 8)'
    if chosen.size.own:
        return f'images keep {facts.image_size[0]} × {facts.image_size[1]} px, crops of 7/8; {seen}'
    largest = max((c for c in _same_network(plan)), key=lambda c: c.size.pixels)
    if largest.size.pixels > chosen.size.pixels:
        return f'{seen}, {largest.share_8:.0%} at {largest.size}: {_obstacle(largest, plan)}'
    return f'{seen}; larger than the images would add nothing'


def _same_network(plan: Plan) -> list[Candidate]:
    key = (plan.chosen.recipe, plan.chosen.arch)
    return [c for c in plan.candidates if (c.recipe, c.arch) == key]


def _obstacle(candidate: Candidate, plan: Plan) -> str:
    """Return why a larger candidate was not chosen."""
    excess = candidate.excess(plan.budget, plan.machine.memory)
    if 'time' in excess:
        return f'needs {candidate.needed_minutes():.0f} minutes at least'
    if excess:
        return f'needs too much {", ".join(excess)}'
    steps = rules.comfortable_training(candidate.shortest)
    return f'the time allows fewer than {steps} steps, twice the shortest useful training'


def _why_network(plan: Plan) -> str:
    chosen = plan.chosen
    larger = [
        c
        for c in plan.candidates
        if c.recipe == chosen.recipe and c.size == chosen.size and c.gflops > chosen.gflops
    ]
    first = f"measured by this project: {chosen.recipe.figure}, the task's best that fits"
    if not larger:
        return f'{first}; the largest backbone at this size'
    following = min(larger, key=lambda c: c.gflops)
    return f'{first}; {following.arch}: {_obstacle(following, plan)}'


def _why_length(plan: Plan) -> str:
    chosen = plan.chosen
    schedule, shortest = chosen.schedule(plan.budget), chosen.shortest
    amount = f'{counted(schedule.steps, "step")}'
    if plan.facts.task != 'semantic':
        amount = f'{counted(schedule.epochs, "epoch")}, {amount}'
    ratio = schedule.steps / shortest
    limit = 'more is not planned (He 2019)' if ratio >= rules.ENOUGH else 'what the time allows'
    return f'{amount}: {ratio:.1f} × the shortest useful ({shortest} steps), {limit}'


def _why_batch(plan: Plan) -> str:
    batch = plan.chosen.batch
    rate = plan.config.optim_wrapper.optimizer.lr
    tested = base_config(plan.chosen.recipe).auto_scale_lr.base_batch_size
    scaled = f'linear scaling from {tested} (Goyal 2017)'
    why = 'as the recipe was tested' if batch == tested else scaled
    workers = plan.config.train_dataloader.num_workers
    return (
        f'{counted(batch, "image")} a step, {rate:g}, {why}; {counted(workers, "loading process")}'
    )


def _why_augmentation(plan: Plan) -> str:
    if plan.augmentation != 'jitter':
        return f'{plan.augmentation}, since the training is long'
    return 'scale jitter, crops, flips; mosaics and pasted objects need 100 epochs'


def _why_backbone(plan: Plan) -> str:
    frozen = plan.config.model.backbone.get('norm_eval')
    state = "norms keep ImageNet's statistics (small batches)" if frozen else 'norms are trained'
    return f'starts from {IMAGENET_WEIGHTS[plan.chosen.arch]}, {state}'


def _time(plan: Plan) -> str:
    chosen, schedule = plan.chosen, plan.chosen.schedule(plan.budget)
    error = plan.estimated.step / chosen.step - 1
    return (
        f'{chosen.seconds(schedule) / 60:.1f} of {plan.budget.minutes:g} minutes; a step takes '
        f'{chosen.step:.3g} s, loading included (estimate before: {error:+.0%})'
    )


def _memory(plan: Plan) -> str:
    chosen = plan.chosen
    error = plan.estimated.memory / chosen.memory - 1
    device = 'on the GPU' if plan.machine.on_gpu else "beside the program's own"
    return (
        f'{chosen.memory / GIB:.2f} GiB {device} {chosen.reserve / GIB:.2f} '
        f'(estimate before: {error:+.0%})'
    )


def _left_out(reasons_of: dict[str, str]) -> str:
    by_reason: dict[str, list[str]] = {}
    for arch, reason in reasons_of.items():
        by_reason.setdefault(reason, []).append(arch)
    return '; '.join(f'{", ".join(archs)} ({why})' for why, archs in by_reason.items())


def docstring(plan: Plan, lines: Iterable[str], called: str) -> str:
    """Return the docstring of a planned config: what it is, how it is used, and why.

    Args:
        plan: The plan.
        lines: From `reasons`.
        called: The command that trains it.
    """
    text = '\n'.join(lines)
    whole = (
        f'{plan.chosen.title()}, planned for {plan.facts.root.name}.\n\n'
        f'Command:  {called}\nHardware: {plan.machine}\n\n{text}\n'
    )
    return whole.replace('\\', '\\\\').replace('"', "'")


def command(path: Path, data: str) -> str:
    """Return the command that trains a planned config."""
    return f'effnet-dense train {shlex.quote(str(path))} --data {shlex.quote(data)}'
