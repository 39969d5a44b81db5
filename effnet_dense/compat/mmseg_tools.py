"""mmseg and its tools run with current versions of what they use, without warnings about itself.

- `tools/analysis_tools/get_flops.py` (mmseg 1.2.2) gives mmengine a shape and an input, of which
  mmengine 0.10 takes one only.
- `tools/analysis_tools/browse_dataset.py` gives the visualizer an image with the channels first in
  memory, into whose likes OpenCV 5 does not draw.
- Every decode head builds its loss by a function that warns of being deprecated.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from effnet_dense.compat.after_import import after_import
from effnet_dense.compat.replace import replace


def serve_mmseg_tools() -> None:
    """Change mmengine's function and mmseg's modules as soon as they are imported."""
    after_import('mmengine.analysis.print_helper', prefer_inputs)
    after_import('mmseg.visualization.local_visualizer', draw_contiguous)
    after_import('mmseg.models.builder', build_losses_quietly)


def prefer_inputs(module: ModuleType) -> None:
    """Make `get_model_complexity_info` ignore a shape that is given beside an input.

    Args:
        module: `mmengine.analysis.print_helper`.
    """
    original = module.get_model_complexity_info

    def get_model_complexity_info(
        model: Any, input_shape: Any = None, inputs: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        shape = input_shape if inputs is None else None
        return original(model, shape, inputs, *args, **kwargs)

    replace(module, 'get_model_complexity_info', get_model_complexity_info)


def draw_contiguous(module: ModuleType) -> None:
    """Make mmseg's visualizer draw label maps into images of any layout in memory.

    Args:
        module: `mmseg.visualization.local_visualizer`.
    """
    original = module.SegLocalVisualizer._draw_sem_seg

    def _draw_sem_seg(self: Any, image: Any, *args: Any, **kwargs: Any) -> Any:
        return original(self, image.copy(order='C'), *args, **kwargs)

    module.SegLocalVisualizer._draw_sem_seg = _draw_sem_seg


def build_losses_quietly(module: ModuleType) -> None:
    """Make mmseg's own heads build their losses as its warning asks for.

    Args:
        module: `mmseg.models.builder`.
    """
    replace(module, 'build_loss', lambda cfg: module.LOSSES.build(cfg))
