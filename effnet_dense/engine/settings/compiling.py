"""`--compile`: compile the network by torch.compile."""

from __future__ import annotations

from mmengine.config import Config


def set_compile(config: Config, on: bool) -> None:
    """Compile backbone, neck and dense heads; a config's own options of the compiler stay."""
    if on and not config.get('compile'):
        config.compile = True
