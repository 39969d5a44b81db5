"""The initialiser `dict(type='effnet_dense.Pretrained', checkpoint=source)` for `init_cfg`."""

from __future__ import annotations

from mmengine.model import update_init_info
from torch import nn

from effnet_dense.registry import WEIGHT_INITIALIZERS
from effnet_dense.utils.urls import public_name
from effnet_dense.weights.load import load_weights


@WEIGHT_INITIALIZERS.register_module()
class Pretrained:
    """mmengine's `Pretrained` with the sources, the names and the checks of `load_weights`.

    Args:
        checkpoint: Any source that `load_weights` accepts.
        prefix: Take only the source's keys that begin with it.
        map_location: Ignored, for compatibility with mmengine's `Pretrained`: weights are read to
            the CPU and copied to the module's device.
    """

    def __init__(
        self, checkpoint: str, prefix: str | None = None, map_location: str = 'cpu'
    ) -> None:
        self.checkpoint = checkpoint
        self.prefix = prefix

    def __call__(self, module: nn.Module) -> None:
        """Load into `module`, and keep mmengine from initialising loaded children again."""
        loaded = {*load_weights(module, self.checkpoint, prefix=self.prefix).loaded}
        for name, child in module.named_modules():
            names = [f'{name}.{key}' for key, _ in child.named_parameters()]
            if name and names and hasattr(child, 'init_weights') and loaded.issuperset(names):
                child.is_init = True
        if hasattr(module, '_params_init_info'):
            name = public_name(self.checkpoint)
            update_init_info(module, init_info=f'Pretrained: load from {name}')
