"""OpenMMLab's tools find this package's loaders in pipelines.

They look for steps whose type is the text 'LoadImageFromFile' or 'LoadAnnotations', or whose class
is the one of that name (mmdet 3.3, `datasets/utils.py`, `apis/det_inferencer.py`; mmseg 1.2.2,
`apis/mmseg_inferencer.py`). SAHI's detector is a subclass of mmdet's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from effnet_dense.compat.after_import import after_import
from effnet_dense.compat.replace import replace

PACKAGE = __name__.partition('.')[0]
# The name that is looked for → that of this package's class.
NAMES = {'LoadImageFromFile': 'LoadImageFromFile', 'LoadAnnotations': 'LoadLabelMap'}
MARK = f'{PACKAGE}_loader'
"""Argument by which an `InferencerLoader` knows that it stands for this package's loader."""


def serve_loading_steps(helpers: Callable[[], Any]) -> None:
    """Change the tools as soon as they are imported.

    Args:
        helpers: Imports `effnet_dense.inference.openmmlab`, when a pipeline needs it.
    """
    after_import('mmdet.apis.det_inferencer', lambda m: find_steps(m.DetInferencer))
    after_import('mmseg.apis.mmseg_inferencer', lambda m: find_steps(m.MMSegInferencer))
    for name in ('mmdet.datasets.transforms.loading', 'mmseg.datasets.transforms.loading'):
        after_import(name, lambda m: load_as_ours(m.InferencerLoader, helpers))
    after_import('mmdet.datasets.utils', keep_loading_steps)


def find_steps(inferencer: Any) -> None:
    """Make an inferencer's search for a step find this package's class of that purpose.

    Args:
        inferencer: mmdet's or mmseg's, which exchanges the step's type for `InferencerLoader`.
    """
    original = inferencer._get_transform_idx

    def _get_transform_idx(self: Any, pipeline_cfg: Any, name: Any) -> int:
        found: int = original(self, pipeline_cfg, name)
        wanted = name if isinstance(name, str) else name[0]
        for index, step in enumerate(pipeline_cfg):
            if found in (-1, index) and is_own(step, wanted):  # OneDL's find it by its name
                if wanted == 'LoadImageFromFile':
                    step[MARK] = True
                return index
        return found

    inferencer._get_transform_idx = _get_transform_idx


def load_as_ours(loader: Any, helpers: Callable[[], Any]) -> None:
    """Make `InferencerLoader` load images as the step that it replaces.

    Args:
        loader: mmdet's or mmseg's class.
        helpers: See `serve_loading_steps`.
    """
    original = loader.__init__

    def __init__(self: Any, **kwargs: Any) -> None:
        if not kwargs.pop(MARK, False):
            original(self, **kwargs)
            return
        self.from_file, self.from_ndarray = helpers().loaders(**kwargs)

    loader.__init__ = __init__


def keep_loading_steps(module: ModuleType) -> None:
    """Make mmdet's `get_loading_pipeline`, of its analysis tools, keep this package's loader.

    Args:
        module: `mmdet.datasets.utils`.
    """
    original = module.get_loading_pipeline

    def get_loading_pipeline(pipeline: Any) -> list[Any]:
        known = [
            {'type': 'LoadImageFromFile', MARK: step} if is_own(step, 'LoadImageFromFile') else step
            for step in pipeline
        ]
        return [step.get(MARK, step) for step in original(known)]

    replace(module, 'get_loading_pipeline', get_loading_pipeline)


def is_own(step: Any, name: str) -> bool:
    """Whether a step is this package's in place of the class of a name."""
    kind = step.get('type') if isinstance(step, Mapping) else None
    if not isinstance(kind, str):
        kind = f'{getattr(kind, "__module__", "")}.{getattr(kind, "__name__", "")}'
    scope, _, own = kind.rpartition('.')
    return scope.partition('.')[0] == PACKAGE and own == NAMES.get(name)
