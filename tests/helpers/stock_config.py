"""Configs that mmdet and mmseg have in their installations."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from mmengine.config import Config


def stock_config(name: str) -> Config:
    """Read 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', for example.

    mmengine's `get_config` installs a package whose distribution has another name, as OneDL's
    mmsegmentation has, by pip.
    """
    package, _, path = name.partition('::')
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None
    return Config.fromfile(Path(spec.origin).parent / '.mim' / 'configs' / path)
