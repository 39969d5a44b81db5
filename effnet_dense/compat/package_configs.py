"""Configs inherit shipped ones by name: `_base_ = 'effnet_dense::effnet_b3_retinanet_coco.py'`.

mmengine resolves `PACKAGE::FOLDER/NAME` for packages that it lists itself, wants a folder in the
name, and looks inside an installed package only. It also gives all of the inherited types the
package's scope, which is wrong here: most types of the shipped configs are mmdet's and mmseg's.
"""

from __future__ import annotations

from types import ModuleType

from effnet_dense.compat.after_import import after_import
from effnet_dense.utils.shipped import shipped_config

PREFIX = f'{__name__.partition(".")[0]}::'


def inherit_shipped_configs() -> None:
    """Change mmengine's configs as soon as they are imported."""
    after_import('mmengine.config.config', find_shipped_bases)


def find_shipped_bases(module: ModuleType) -> None:
    """Make configs find bases of this package, in a wheel and in a checkout.

    Args:
        module: `mmengine.config.config`.
    """
    others = module.Config._get_cfg_path

    def path_and_scope(cfg_path: str, filename: str) -> tuple[str, str | None]:
        if cfg_path.startswith(PREFIX):
            return str(shipped_config(cfg_path.removeprefix(PREFIX))), None
        return others(cfg_path, filename)

    module.Config._get_cfg_path = staticmethod(path_and_scope)
