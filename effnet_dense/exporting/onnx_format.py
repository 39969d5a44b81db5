"""ONNX files; see `maker.Maker`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray
from torch import Tensor, nn

from effnet_dense.exporting.any_size import Plan
from effnet_dense.exporting.detectors import detector_parts
from effnet_dense.exporting.input_size import halvings
from effnet_dense.exporting.network import WHOLE_POSTS, whole_network
from effnet_dense.exporting.network_runner import Outputs as Outputs
from effnet_dense.exporting.network_runner import runner as runner
from effnet_dense.exporting.onnx_file import Parts
from effnet_dense.exporting.onnx_int8 import OnnxQuantiser
from effnet_dense.exporting.stages import Stages
from effnet_dense.exporting.stored_weights import STORED
from effnet_dense.runtimes.inputs import IMAGES
from effnet_dense.runtimes.metadata import KEY, Metadata
from effnet_dense.runtimes.onnx_session import SUFFIX, import_onnxruntime

POSTS: dict[str, tuple[str, ...]] = {
    'detection': ('nms', 'decoded', 'raw'),
    'instance': ('nms', 'raw'),
    'panoptic': ('nms',),
    **WHOLE_POSTS,
}
ANY_BATCH = True


def check(path: Path, precision: str) -> None:
    if path.suffix != SUFFIX:
        raise ValueError(f'expected out to be a name with {SUFFIX}, got {str(path)!r}')
    check_converter('onnx')
    if precision != 'fp32':
        import_onnxruntime()


def check_converter(form: str) -> None:
    """Check that what torch.onnx converts with is installed.

    Raises:
        ImportError: It is not.
    """
    if find_spec('onnxscript') is None:
        raise ImportError(
            f"exporting to {form} needs onnxscript: pip install 'effnet_dense[{form}]'"
        )


def trace(
    model: Any,
    task: str,
    images: Tensor,
    post: str,
    any_batch: bool,
    multiple: int | None = None,
) -> Parts:
    """See `Maker`; `multiple` as in `exporting.any_size`."""
    plan = None if multiple is None else Plan(multiple, halvings(model, multiple))
    if task not in WHOLE_POSTS:
        return detector_parts(model, images, post, any_batch, plan)
    return whole_parts(*whole_network(model, task, post), images, any_batch, plan)


def whole_parts(
    network: nn.Module,
    outputs: Sequence[str],
    images: Tensor,
    any_batch: bool,
    plan: Plan | None = None,
) -> Parts:
    """Export a module after which nothing comes; see `trace`."""
    stages = Stages(images, any_batch, plan)
    stages.trace(network, [IMAGES], outputs)
    return stages.parts(outputs)


def stored(parts: Parts, precision: str) -> Parts:
    return Parts(STORED[precision](parts.network), parts.tail)


def quantiser(parts: Parts, images: Iterable[NDArray[Any]]) -> OnnxQuantiser:
    return OnnxQuantiser(parts.network, images)


def save(model: onnx.ModelProto, metadata: Metadata, path: Path) -> None:
    others = [entry for entry in model.metadata_props if entry.key != KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(others)
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, metadata.to_json()
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
