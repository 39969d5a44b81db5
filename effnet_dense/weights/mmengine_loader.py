"""Replace mmengine's checkpoint loader by one that executes no code and checks downloads.

mmengine's `Pretrained`, `load_checkpoint` and `CheckpointLoader` call `torch.load` without
`weights_only`, with weights_only=False for downloads, and require no hash (mmengine 0.10.7,
`runner/checkpoint.py`). Other packages' modules load through them.
"""

from __future__ import annotations

from typing import Any

from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import get_external_models, get_mmcls_models

from effnet_dense.weights.download import fetch
from effnet_dense.weights.safe import safe_load

_OPENMMLAB = ('open-mmlab://', 'openmmlab://')
_MMCLS = 'mmcls://'
_MODELZOO = 'modelzoo://'
_REMOTE = (r'(\S+\:)?s3://', r'(\S+\:)?petrel://', 'pavi://')


def register_safe_loader() -> None:
    """Make all of mmengine's loading in this process use `fetch` and `safe_load`."""
    prefixes = ['', 'http://', 'https://', 'torchvision://', *_OPENMMLAB, _MMCLS, _MODELZOO]
    CheckpointLoader.register_scheme([*prefixes, *_REMOTE], load_from_safe, force=True)


def load_from_safe(filename: str, map_location: Any = None) -> Any:
    """Read a checkpoint to the CPU, ignoring `map_location`: modules copy from there.

    mmengine logs the end of this function's name: "Loads checkpoint by safe backend".

    Raises:
        FileNotFoundError, ValueError, ImportError, ConnectionError: See `fetch` and `safe_load`.
    """
    checkpoint = safe_load(fetch(_resolve(str(filename))))
    if str(filename).startswith(_MMCLS):
        return _backbone_only(checkpoint)
    return checkpoint


def _resolve(filename: str) -> str:
    """Map OpenMMLab's own checkpoint names to sources that `fetch` accepts."""
    scheme, _, name = filename.partition('://')
    if f'{scheme}://' in _OPENMMLAB:
        return _look_up(get_external_models(), name, filename)
    if f'{scheme}://' == _MMCLS:
        return _look_up(get_mmcls_models(), name, filename)
    return f'torchvision://{name}' if f'{scheme}://' == _MODELZOO else filename


def _look_up(urls: dict[str, str], name: str, filename: str) -> str:
    if name not in urls:
        raise ValueError(f'mmengine has no checkpoint named {filename!r}')
    return urls[name]


def _backbone_only(checkpoint: Any) -> dict[str, Any]:
    """Return the backbone's weights without prefix, as mmengine does for classifiers."""
    state = checkpoint.get('state_dict', checkpoint)
    prefix = 'backbone.'
    kept = {key.removeprefix(prefix): v for key, v in state.items() if key.startswith(prefix)}
    return {'state_dict': kept}
