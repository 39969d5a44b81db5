"""What the machine is: versions, ceilings, the host's time for a small kernel."""

from __future__ import annotations

import importlib
import platform
import shutil
import subprocess

import torch

from benchmarks.ceilings import measure_ceilings
from benchmarks.environment import describe_machine
from benchmarks.gpu.conditions import Conditions
from benchmarks.gpu.record import Record
from benchmarks.gpu.timing import host_ms
from effnet_dense.analysis.settings import MIN_SIZE
from effnet_dense.utils.environment import installed_versions

MODULES = ('effnet_dense', 'mmdet.models', 'mmseg.models', 'mmcv.ops', 'timm', 'effdet', 'triton')
VERSIONS = (
    *('torchvision', 'triton', 'numpy', 'mmengine', 'mmdet', 'mmsegmentation', 'mmcv-lite'),
    *('mmcv', 'timm', 'effdet', 'albumentations', 'pytest'),
)
QUERY = 'name,driver_version,memory.total,clocks.sm,power.limit'


def run(conditions: Conditions, record: Record) -> None:
    """Describe the machine, import what trainings need, and measure its ceilings."""
    settings = conditions.settings(MIN_SIZE, 1)
    machine = describe_machine(settings)
    record.note(
        f'{machine["processor"]}, {machine["cores"]} CPU cores, Python '
        f'{platform.python_version()}, torch {torch.__version__}, CUDA {torch.version.cuda}, '
        f'cuDNN {torch.backends.cudnn.version()}.'
    )
    record.note(_driver())
    versions = installed_versions(VERSIONS)
    record.note(', '.join(f'{name} {version}' for name, version in versions.items()) + '.')
    for name in MODULES:
        _import(name, record)
    for precision in ('bf16', 'fp32'):
        ceilings = measure_ceilings(
            conditions.settings(MIN_SIZE, 1, precision), *conditions.pick((None, None), (64, 2**16))
        )
        values = {'TFLOP/s': ceilings.gflops / 1e3, 'copy TB/s': ceilings.copy_gb / 1e3}
        record.add('ceilings', precision=precision, **values)
    x = torch.randn(1, device=conditions.device)
    launches = conditions.pick(10_000, 100)
    queued = host_ms(lambda: [x.neg_() for _ in range(launches)], settings.on_cuda, 3)
    record.note(f'The host needs {1e3 * queued / launches:.1f} µs for a small kernel.')


def _driver() -> str:
    if shutil.which('nvidia-smi') is None:
        return 'nvidia-smi is not there.'
    words = ['nvidia-smi', f'--query-gpu={QUERY}', '--format=csv,noheader']
    done = subprocess.run(words, capture_output=True, text=True, timeout=20, encoding='utf-8')
    return f'nvidia-smi ({QUERY}): {done.stdout.strip() or done.stderr.strip()}'


def _import(name: str, record: Record) -> None:
    try:
        importlib.import_module(name)
    except Exception as error:  # a library may raise anything at import
        record.note(f'{name} cannot be imported: {type(error).__name__}: {error}')
