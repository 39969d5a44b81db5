"""Start distributed processes on machines without a GPU.

mmengine calls `torch.cuda.set_device` before it starts any process group. Here gloo is started
first, from the launcher's environment variables; mmengine then finds it running.
"""

from __future__ import annotations

import os
import subprocess
from datetime import timedelta

import torch.distributed as dist

# Launcher → variable that torch reads → variable that the launcher sets.
LAUNCHER_VARIABLES = {
    'pytorch': {
        'RANK': 'RANK',
        'WORLD_SIZE': 'WORLD_SIZE',
        'LOCAL_RANK': 'LOCAL_RANK',
        'MASTER_ADDR': 'MASTER_ADDR',
        'MASTER_PORT': 'MASTER_PORT',
    },
    'slurm': {
        'RANK': 'SLURM_PROCID',
        'WORLD_SIZE': 'SLURM_NTASKS',
        'LOCAL_RANK': 'SLURM_LOCALID',
    },
    'mpi': {
        'RANK': 'OMPI_COMM_WORLD_RANK',
        'WORLD_SIZE': 'OMPI_COMM_WORLD_SIZE',
        'LOCAL_RANK': 'OMPI_COMM_WORLD_LOCAL_RANK',
        'MASTER_ADDR': 'MASTER_ADDR',
    },
}
START_COMMANDS = {
    'pytorch': 'bash tools/dist_train.sh CONFIG PROCESSES',
    'slurm': 'bash tools/slurm_train.sh PARTITION JOB CONFIG',
    'mpi': 'mpirun -x MASTER_ADDR=HOST -n PROCESSES',
}
DEFAULT_PORT = '29500'


def export_variables(launcher: str) -> None:
    """Set the environment variables that torch reads from those of a launcher.

    Args:
        launcher: 'pytorch', 'slurm' or 'mpi'.

    Raises:
        ValueError: Unknown launcher, or this process was not started by it.
    """
    if launcher not in LAUNCHER_VARIABLES:
        raise ValueError(f'launcher must be none, pytorch, slurm or mpi, got {launcher!r}')
    variables = LAUNCHER_VARIABLES[launcher]
    missing = [name for name in variables.values() if name not in os.environ]
    if missing:
        raise ValueError(
            f'--launcher {launcher} expects the environment variables {", ".join(missing)}; '
            f'start it with {START_COMMANDS[launcher]}'
        )
    for name, source in variables.items():
        os.environ[name] = os.environ[source]


def start_gloo(launcher: str, timeout: float | None = None) -> None:
    """Start the process group over gloo, after `export_variables`.

    Args:
        launcher: 'pytorch', 'slurm' or 'mpi'.
        timeout: Time limit of collective operations, in seconds.
    """
    if launcher == 'slurm' and 'MASTER_ADDR' not in os.environ:
        os.environ['MASTER_ADDR'] = _first_slurm_node()
    os.environ.setdefault('MASTER_PORT', DEFAULT_PORT)
    limit = None if timeout is None else timedelta(seconds=timeout)
    dist.init_process_group('gloo', timeout=limit)


def _first_slurm_node() -> str:
    nodes = subprocess.run(
        ['scontrol', 'show', 'hostnames', os.environ['SLURM_NODELIST']],
        check=True,
        capture_output=True,
        text=True,
        encoding='utf-8',
        errors='replace',
    )
    return nodes.stdout.split()[0]
