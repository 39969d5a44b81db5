"""Name an mmcv that mmdet or mmseg will refuse, before they do.

mmcv 2.2.0 has wheels with compiled operators for torch 2.4; mmdet 3.3 and mmseg 1.2.2 stop at
their first import with it. Their files are read as text, because importing them is what fails.
"""

from __future__ import annotations

import re
import warnings
from importlib.util import find_spec
from pathlib import Path

VERSION = re.compile(r"^__version__ = '([^']+)'", re.MULTILINE)
# Peer → how it writes the first version that it refuses.
LIMITS = {
    'mmdet': re.compile(r"^mmcv_maximum_version = '([^']+)'", re.MULTILINE),
    'mmseg': re.compile(r"^MMCV_MAX = '([^']+)'", re.MULTILINE),
}


def warn_about_mmcv() -> None:
    """Warn if an installed mmdet or mmseg refuses the installed mmcv, in one sentence."""
    installed = _stated('mmcv', 'version.py', VERSION)
    if installed is None:
        return
    limits = {peer: _stated(peer, '__init__.py', text) for peer, text in LIMITS.items()}
    refusing = {
        peer: limit
        for peer, limit in limits.items()
        if limit is not None and numbers(installed) >= numbers(limit)
    }
    if refusing:
        peers = ' and '.join(f'{peer} (below {limit})' for peer, limit in refusing.items())
        warnings.warn(
            f'mmcv {installed} is installed, which {peers} will refuse when imported: install an '
            f"earlier one, such as `pip uninstall mmcv && pip install 'mmcv-lite==2.1.0'`, for "
            'which effnet_dense provides the operators, or raise that limit in their __init__.py',
            stacklevel=3,
        )


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a release: '2.2.0rc1' → (2, 2, 0)."""
    return tuple(int(n) for n in re.findall(r'\d+', version)[:3])


def _stated(package: str, file: str, text: re.Pattern[str]) -> str | None:
    """Read a version from a package's file; None if there is none."""
    try:
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            return None
        found = text.search((Path(spec.origin).parent / file).read_text(encoding='utf-8'))
    except (OSError, ValueError):  # no such file, or a stand-in without a spec in sys.modules
        return None
    return found[1] if found else None
