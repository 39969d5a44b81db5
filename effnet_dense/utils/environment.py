"""Look up versions and hardware, to be reported beside measurements.

mmengine's `collect_env` starts compilers, which takes seconds, and does not name the processor.
"""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import torch

CPU_INFO = Path('/proc/cpuinfo')


def installed_versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of those distributions that are installed, in the given order."""
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def processor_name(cpu_info: Path = CPU_INFO) -> str:
    """Return the CPU's model name from Linux, elsewhere what `platform` reports."""
    if cpu_info.is_file():
        for line in cpu_info.read_text(encoding='utf-8').splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.processor() or platform.machine()


def gpu_names() -> str:
    """Return the visible CUDA devices, such as '8 × NVIDIA A100', or '' without any."""
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return ', '.join(f'{names.count(name)} × {name}' for name in dict.fromkeys(names))


def git_commit(root: Path) -> str | None:
    """Return a checkout's commit (12 digits), followed by ' and changes' if files differ from it.

    None if `root` is not itself a checkout: an installed package may lie inside another one.
    """
    if not (root / '.git').exists():
        return None
    commit = _git(root, 'rev-parse', 'HEAD')
    if commit is None:
        return None
    changed = _git(root, 'status', '--porcelain', '--untracked-files=no')
    return f'{commit[:12]} and changes' if changed else commit[:12]


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ['git', *words],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
            encoding='utf-8',
            errors='replace',
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
