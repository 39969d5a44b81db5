"""Format predicted peaks as text and JSON."""

from __future__ import annotations

from typing import Any

from effnet_dense.analysis.memory.peak import Peak, TrainingSetup

MIB, GIB = 2**20, 2**30

NOTE = """\
Counted: the tensors that PyTorch allocates, as torch.cuda.max_memory_allocated does. Within 3 %
of what its allocator counts on the CPU; not yet compared on a GPU.
Estimated: ground truths are {objects} objects per image; what depends on predictions, such as
proposals after NMS, is at its maximum, so two-stage detectors need less.
Not included: cuDNN's workspaces, the CUDA context (0.3 to 0.6 GiB), the allocator's reserve, and on
several GPUs DDP's buckets, as large as the gradients."""


def format_parts(name: str, peak: Peak) -> str:
    """Return a peak's categories in MiB, one per line."""
    lines = [f'{name}: {describe_setup(peak.setup)}']
    nonzero = [(category, size) for category, size in peak.parts.items() if size]
    lines += [f'  {category:<22}{size / MIB:>10.1f} MiB' for category, size in nonzero]
    lines.append(f'  {"peak":<22}{peak.total / MIB:>10.1f} MiB, in the {peak.phase} pass')
    return '\n'.join(lines)


def describe_setup(setup: TrainingSetup) -> str:
    """Return a setup in words."""
    lean = 'as configured' if setup.lean is None else setup.lean
    height, width = setup.size
    return f'{setup.batch_size} × {height} × {width} px, {setup.precision}, lean {lean}'


def column_heading(setup: TrainingSetup) -> str:
    """Return the heading of a setup's column."""
    return setup.precision + ('' if setup.lean is None else f', lean {setup.lean}')


def as_dict(name: str, peak: Peak) -> dict[str, Any]:
    """Return a peak for JSON, in bytes."""
    setup = peak.setup
    return dict(
        config=name,
        batch_size=setup.batch_size,
        size=list(setup.size),
        precision=setup.precision,
        lean=setup.lean,
        objects=setup.objects,
        peak=peak.total,
        moment=peak.phase,
        parts={str(category): size for category, size in peak.parts.items()},
    )
