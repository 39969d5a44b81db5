"""Read how much memory the system has left, within a container's limit."""

from __future__ import annotations

from pathlib import Path

MEMINFO = Path('/proc/meminfo')
CGROUPS = (
    ('/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory.current'),
    (
        '/sys/fs/cgroup/memory/memory.limit_in_bytes',
        '/sys/fs/cgroup/memory/memory.usage_in_bytes',
    ),
)
"""Files with the limit and the use of a container, of control groups 2 and 1."""
UNLIMITED = 2**63


def available_memory(meminfo: Path | None = None) -> int:
    """Return the bytes of memory that a process may still take.

    Args:
        meminfo: The system's account; by default Linux's.

    Raises:
        OSError: The system has none.
    """
    lines = (meminfo or MEMINFO).read_text(encoding='utf-8').splitlines()
    values = dict(line.split(':', 1) for line in lines if ':' in line)
    free = int(values['MemAvailable'].split()[0]) * 1024
    return min([free, *(_left(Path(most), Path(used)) for most, used in CGROUPS)])


def _left(limit: Path, used: Path) -> int:
    """Return the bytes left in a container; a number larger than any memory without a limit."""
    try:
        most, now = (int(file.read_text(encoding='utf-8')) for file in (limit, used))
    except (OSError, ValueError):  # another version of control groups, or 'max'
        return UNLIMITED
    return max(most - now, 0)
