"""mmengine's own way to checkpoints, for parts of a model that are not ours: made safe.

mmengine's `Pretrained`, `load_checkpoint` and `CheckpointLoader` call `torch.load` bare, and with
weights_only=False for what they download, without asking for a hash
(mmengine 0.10.7, `runner/checkpoint.py`).
"""

from __future__ import annotations

from typing import Any

from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import get_external_models, get_mmcls_models

from effnet_dense.weights.safe import safe_load
from effnet_dense.weights.sources import fetch

_OPENMMLAB = ('open-mmlab://', 'openmmlab://')
_MMCLS = 'mmcls://'
_MODELZOO = 'modelzoo://'
_REMOTE = (r'(\S+\:)?s3://', r'(\S+\:)?petrel://', 'pavi://')


def read_safely() -> None:
    """Let every load of mmengine's in this process go through `fetch` and `safe_load`."""
    prefixes = ['', 'http://', 'https://', 'torchvision://', *_OPENMMLAB, _MMCLS, _MODELZOO]
    CheckpointLoader.register_scheme([*prefixes, *_REMOTE], load_from_safe, force=True)


def load_from_safe(filename: str, map_location: Any = None) -> Any:
    """Read what mmengine calls a checkpoint; to the CPU, from where modules copy it.

    Its name is what mmengine's log makes of it: "Loads checkpoint by safe backend".

    Raises:
        FileNotFoundError, ValueError, ImportError, ConnectionError: See `fetch` and `safe_load`.
    """
    checkpoint = safe_load(fetch(_address(str(filename))))
    if str(filename).startswith(_MMCLS):
        return _backbone_alone(checkpoint)
    return checkpoint


def _address(filename: str) -> str:
    """The source behind OpenMMLab's own names of checkpoints."""
    scheme, _, name = filename.partition('://')
    if f'{scheme}://' in _OPENMMLAB:
        return _known(get_external_models(), name, filename)
    if f'{scheme}://' == _MMCLS:
        return _known(get_mmcls_models(), name, filename)
    return f'torchvision://{name}' if f'{scheme}://' == _MODELZOO else filename


def _known(models: dict[str, str], name: str, filename: str) -> str:
    if name not in models:
        raise ValueError(f'mmengine knows no checkpoint {filename!r}')
    return models[name]


def _backbone_alone(checkpoint: Any) -> dict[str, Any]:
    """As mmengine does it for classifiers: the backbone's weights, without its prefix."""
    state = checkpoint.get('state_dict', checkpoint)
    prefix = 'backbone.'
    kept = {key.removeprefix(prefix): v for key, v in state.items() if key.startswith(prefix)}
    return {'state_dict': kept}
