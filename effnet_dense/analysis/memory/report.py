"""Predicted peaks as text for people, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from effnet_dense.analysis.memory.predict import Peak, Setting

MIB, GIB = 2**20, 2**30

NOTE = """\
Counted: the tensors that PyTorch is asked for, as torch.cuda.max_memory_allocated does. Within 3 %
of what its allocator counts on the CPU; not yet compared on a GPU.
Estimated: truths are {objects} objects an image; what depends on predictions, such as proposals
after NMS, is the most that is possible, so two-stage detectors take less.
Not in it: cuDNN's workspaces, the CUDA context (0.3 to 0.6 GiB), the allocator's reserve, and on
several GPUs DDP's buckets, as large as the gradients."""


def parts_table(name: str, peak: Peak) -> str:
    """A peak by what it is made of, in MiB."""
    lines = [f'{name}: {describe(peak.setting)}']
    shown = [(kind, size) for kind, size in peak.parts.items() if size]
    lines += [f'  {kind:<22}{size / MIB:>10.1f} MiB' for kind, size in shown]
    lines.append(f'  {"peak":<22}{peak.total / MIB:>10.1f} MiB, in the {peak.moment} pass')
    return '\n'.join(lines)


def describe(setting: Setting) -> str:
    """A setting in words."""
    lean = 'as configured' if setting.lean is None else setting.lean
    height, width = setting.size
    return f'{setting.batch_size} × {height} × {width} px, {setting.precision}, lean {lean}'


def markdown(rows: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> str:
    """A table: of each row its name and its cells, which are headings and texts."""
    headings = [heading for heading, _ in rows[0][1]]
    lines = [['config', *headings], ['---'] * (len(headings) + 1)]
    lines += [[name, *(text for _, text in cells)] for name, cells in rows]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def column(setting: Setting) -> str:
    """The heading of a setting's column."""
    return setting.precision + ('' if setting.lean is None else f', lean {setting.lean}')


def as_json(name: str, peak: Peak) -> dict[str, Any]:
    """A peak, in bytes."""
    setting = peak.setting
    return dict(
        config=name,
        batch_size=setting.batch_size,
        size=list(setting.size),
        precision=setting.precision,
        lean=setting.lean,
        objects=setting.objects,
        peak=peak.total,
        moment=peak.moment,
        parts={str(kind): size for kind, size in peak.parts.items()},
    )


def write_json(path: str | Path, entries: Sequence[dict[str, Any]]) -> None:
    """Write entries of `as_json`."""
    Path(path).write_text(json.dumps(entries, indent=2) + '\n')
