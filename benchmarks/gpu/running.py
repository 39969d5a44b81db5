"""Run a part in a process of its own, and keep what it has found until it ended."""

from __future__ import annotations

import importlib
import time
import traceback

from benchmarks.gpu.conditions import Conditions, Unmet
from benchmarks.gpu.parts import PARTS
from benchmarks.gpu.processes import FINISHED, run_limited
from benchmarks.gpu.record import RUNNING, Record
from effnet_dense.utils.outputs import claim


def run_part(part: str, conditions: Conditions) -> Record:
    """Run a part in a process of its own; return its results, complete or not."""
    path = conditions.out / f'{part}.json'
    Record(path, part).write()
    log = claim(conditions.out / f'{part}.log')
    log.write_text('', encoding='utf-8')
    begin = time.perf_counter()
    state = run_limited(conditions.seconds, conditions.dry, log, run_here, part, conditions)
    record = Record.read(path)
    if state != FINISHED or record.state == RUNNING:
        record.end(state, time.perf_counter() - begin)
    return record


def run_here(part: str, conditions: Conditions) -> None:
    """Run a part in this process; what it lacks, and what goes wrong, is in its record."""
    record = Record(conditions.out / f'{part}.json', part)
    begin, state = time.perf_counter(), FINISHED
    try:
        conditions.require_gpu()
        importlib.import_module(PARTS[part]).run(conditions, record)
    except Unmet as reason:
        state = f'not run: {reason}'
    except Exception as error:
        traceback.print_exc()
        state = f'failed: {type(error).__name__}: {str(error).strip().partition(chr(10))[0]:.200}'
    record.end(state, time.perf_counter() - begin)
