"""What a run was made with: versions, commit, hardware."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import torch

from effnet_dense import __version__

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmcv-lite', 'mmdet', 'mmsegmentation')


def versions() -> dict[str, str]:
    """Of Python, of this project and of what it stands on, as far as it is installed."""
    found = {'effnet_dense': __version__}
    commit = git_commit()
    if commit:
        found['commit'] = commit
    found['Python'] = platform.python_version()
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_commit(root: Path = ROOT) -> str | None:
    """The commit of a checkout, with a note where files were changed since.

    None where `root` is no checkout's own: an installed package may lie within somebody's.
    """
    if not (root / '.git').exists():
        return None
    commit = _git(root, 'rev-parse', 'HEAD')
    if commit is None:
        return None
    changed = _git(root, 'status', '--porcelain', '--untracked-files=no')
    return f'{commit[:12]} and changes' if changed else commit[:12]


def hardware() -> dict[str, str]:
    """GPUs, or the processor."""
    found = {'Processor': f'{processor()}, {os.cpu_count()} cores'}
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        found['GPUs'] = ', '.join(f'{names.count(name)} × {name}' for name in dict.fromkeys(names))
        found['CUDA'] = str(torch.version.cuda)
    return found


def processor(cpuinfo: Path = Path('/proc/cpuinfo')) -> str:
    """Its name, as Linux tells it or else as Python does."""
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.processor() or platform.machine()


def duration(seconds: float) -> str:
    """As 0:09:30, with days where there are some."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    start = f'{days} d ' if days else ''
    return f'{start}{hours}:{minutes:02d}:{rest:02d}'


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ['git', *words], cwd=root, capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
