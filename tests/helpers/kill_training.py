"""Kill a training at random moments, resume it each time, and compare with one never killed.

python -m tests.helpers.kill_training --times 20 --loop epochs
python -m tests.helpers.kill_training --times 20 --loop iterations

Each start is a process forked from this one, which has imported everything: it trains with
`--resume auto` and gets SIGKILL. A checkpoint is written after every step; one is kept, and the
best one; every second kill waits for the next file being written. Validations run in between.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from effnet_dense.engine.jobs import train
from effnet_dense.engine.resume.checkpoints import last_checkpoint
from tests.helpers import resumable
from tests.helpers.tiny import write_data

LOOPS = {
    'epochs': {**resumable.EPOCHS, 'default_hooks.checkpoint.by_epoch': False},
    'iterations': resumable.ITERATIONS,
}
STARTED = 'starting'
"""A file that a process creates when it starts to train."""


def options(loop: str, steps: int) -> dict[str, Any]:
    """The training's options: `steps` of four batches each, or of one."""
    changes = {
        **LOOPS[loop],
        'default_hooks.checkpoint.interval': 1,
        'default_hooks.checkpoint.max_keep_ckpts': 1,
        'default_hooks.checkpoint.save_best': 'auto',
    }
    if loop == 'epochs':
        return {**changes, 'train_cfg.max_epochs': steps // 4, 'train_cfg.val_interval': 3}
    cfg = dict(type='IterBasedTrainLoop', max_iters=steps, val_interval=15)
    return {**changes, 'train_cfg': cfg}


def start(data: Path, work_dir: Path, changes: dict[str, Any]) -> int:
    """Fork a process that trains, or resumes; return its id."""
    (work_dir / STARTED).unlink(missing_ok=True)
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        with (work_dir / 'output').open('a', encoding='utf-8') as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        config = resumable.config(data, work_dir, **changes)
        (work_dir / STARTED).touch()
        train(config, resume='auto')
        status = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(status)


def finish(child: int, work_dir: Path) -> None:
    """Wait for a process that must succeed."""
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        lines = (work_dir / 'output').read_text(encoding='utf-8').splitlines()
        raise RuntimeError('\n'.join(['the training failed:', *lines[-30:]]))


def wait(condition: Callable[[], bool]) -> None:
    """Until it holds, or for ten seconds: a process may have ended before."""
    limit = time.monotonic() + 10
    while not condition() and time.monotonic() < limit:
        time.sleep(0.0005)


def kill(child: int, work_dir: Path, steps: int, delay: float, writing: bool) -> str:
    """Kill a process.

    Args:
        child: The process.
        work_dir: The training's.
        steps: Checkpoints that it writes before; without any it may not have begun.
        delay: In seconds, after them.
        writing: Wait for the next file that is being written.

    Returns:
        The file that was being written, or 'no file'; '' if the training had ended.
    """
    wait((work_dir / STARTED).exists)
    for _ in range(steps):
        named = last_checkpoint(work_dir)
        wait(lambda named=named: last_checkpoint(work_dir) != named)  # type: ignore[misc]
    time.sleep(delay)
    stale = set(work_dir.glob('.part-*'))
    if writing:
        wait(lambda: bool(set(work_dir.glob('.part-*')) - stale))
    os.kill(child, signal.SIGKILL)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != -signal.SIGKILL:
        return ''
    files = sorted(path.name for path in set(work_dir.glob('.part-*')) - stale)
    return re.sub(r'^\.part-(\d+-)?', '', files[0]) if files else 'no file'


def end(work_dir: Path) -> dict[str, torch.Tensor]:
    """Return all tensors that the training ended with."""
    path = last_checkpoint(work_dir)
    if path is None:
        raise RuntimeError(f'no checkpoint in {work_dir}')
    return resumable.end_state(path)


def kill_training(times: int, loop: str, folder: Path, steps: int = 120, seed: int = 0) -> Counter:
    """Kill and compare.

    Args:
        times: Kills.
        loop: 'epochs' or 'iterations'.
        folder: For data and both trainings.
        steps: The training's iterations, a multiple of 4.
        seed: Of the random moments.

    Returns:
        What was being written, and how often.

    Raises:
        ValueError: too few steps for the kills.
        RuntimeError: a training could not resume, or ended in another state.
    """
    if steps < 6 * times:
        raise ValueError(f'{times} kills need {6 * times} steps, got {steps}')
    rng = random.Random(seed)
    data = write_data(folder / 'data', train=8)
    changes = options(loop, steps)
    complete, killed = folder / 'complete', folder / 'killed'
    for work_dir in (complete, killed):
        work_dir.mkdir()
    finish(start(data, complete, changes), complete)
    met: Counter = Counter()
    for number in range(times):
        # So that the training lasts for all kills, each of which may meet the step after the next.
        advance = rng.randint(0, steps // times - 3)
        delay = rng.uniform(0, 0.1 if advance else 1.0)
        child = start(data, killed, changes)
        doing = kill(child, killed, advance, delay, writing=bool(number % 2))
        if not doing:
            raise RuntimeError(f'it ended after {number} kills: more steps are needed')
        met[doing] += 1
        named = last_checkpoint(killed)
        print(f'killed {advance} steps on, writing {doing}; last: {named and named.name}')
    finish(start(data, killed, changes), killed)
    different = resumable.differences(end(complete), end(killed))
    if different:
        raise RuntimeError(f'{len(different)} tensors are not equal: {different[:5]}')
    return met


def main() -> int:
    """Run it in a temporary folder."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument('--times', type=int, default=20, help='kills')
    arguments.add_argument('--loop', choices=LOOPS, default='epochs')
    arguments.add_argument('--steps', type=int, default=120, help="the training's iterations")
    arguments.add_argument('--seed', type=int, default=0, help='of the random moments')
    args = arguments.parse_args()
    with contextlib.ExitStack() as stack:
        stack.callback(resumable.plain_config_text().undo)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        met = kill_training(args.times, args.loop, folder, args.steps, args.seed)
    writing = args.times - met['no file']
    print(f'{args.times} kills, {writing} of them while a file was written: all tensors equal')
    return 0


if __name__ == '__main__':
    sys.exit(main())
