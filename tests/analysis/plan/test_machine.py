"""What is known of a machine."""

from __future__ import annotations

from pathlib import Path

from effnet_dense.analysis.plan.machine import GIB, Machine, free_memory, this_machine


def test_this_machine() -> None:
    machine = this_machine()
    assert machine.cores >= 1 and machine.memory > 0
    assert 'CPU core' in str(machine)


def test_memory_that_is_free(tmp_path: Path) -> None:
    meminfo = tmp_path / 'meminfo'
    meminfo.write_text('MemTotal: 8192 kB\nMemAvailable:    4096 kB\n', encoding='utf-8')
    assert free_memory(meminfo) == 4096 * 1024
    assert free_memory(tmp_path / 'none') > 0


def test_words() -> None:
    busy = Machine(cores=2, threads=2, ram=GIB, load=7.0)
    assert 'load 7.0' in str(busy) and not busy.on_gpu
    gpu = Machine(cores=2, threads=2, ram=GIB, device='cuda', gpu='GPU', gpu_memory=8 * GIB)
    assert gpu.memory == 8 * GIB and 'GPU with 8.0 GiB' in str(gpu)


def test_one_core_is_in_the_singular() -> None:
    one = Machine(cores=1, threads=1, ram=GIB)
    assert str(one).startswith('1 CPU core (1 thread), 1.0 GiB'), str(one)
    two = Machine(cores=2, threads=2, ram=GIB)
    assert str(two).startswith('2 CPU cores (2 threads), '), str(two)
