"""The parts of the GPU runbook, one module each, with `run(conditions, record)`."""

NAMES = (
    'environment',
    'tests',
    'micro',
    'profile',
    'train',
    'loop',
    'detector',
    'memory',
    'compiled',
)
"""In the order in which they decide something."""

PARTS = {name: f'{__name__}.{name}' for name in NAMES}
"""Part → module."""
