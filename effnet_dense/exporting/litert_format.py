"""LiteRT's files; see `maker.Maker`. They end before choices: see `exporting.dense`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from effnet_dense.exporting.dense import POSTS as POSTS
from effnet_dense.exporting.dense import dense
from effnet_dense.exporting.litert_file import (
    LitertParts,
    check_outputs,
    import_converter,
    to_litert,
)
from effnet_dense.exporting.litert_int8 import STORED, LitertQuantiser, import_quantizer, listed
from effnet_dense.exporting.litert_packing import with_metadata
from effnet_dense.exporting.maker import Images
from effnet_dense.runtimes.litert_session import SUFFIX, import_litert
from effnet_dense.runtimes.metadata import Metadata

ANY_BATCH = False


def check(path: Path, precision: str) -> None:
    if path.suffix != SUFFIX:
        raise ValueError(f'expected out to be a name with {SUFFIX}, got {str(path)!r}')
    import_converter()
    import_litert()
    if precision != 'fp32':
        import_quantizer()


def trace(model: Any, task: str, images: Tensor, post: str, any_batch: bool) -> LitertParts:
    traced = dense(model, task, images, post)
    content = to_litert(traced, images)
    check_outputs(content, traced, images)
    details = {**traced.details, 'layout': 'NHWC'}
    return LitertParts(content, traced.outputs, details, len(images))


def stored(parts: LitertParts, precision: str) -> LitertParts:
    return parts._replace(network=STORED[precision](parts.network))


def runner(network: bytes) -> Callable[[NDArray[Any]], list[NDArray[Any]]]:
    return listed(network)


def quantiser(parts: LitertParts, images: Images) -> LitertQuantiser:
    return LitertQuantiser(parts.network, images, parts.batch)


def save(model: bytes, metadata: Metadata, path: Path) -> None:
    path.write_bytes(with_metadata(model, metadata.to_json()))
