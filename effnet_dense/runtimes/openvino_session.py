"""Run OpenVINO files by OpenVINO.

A network compiled for one shape of its input is faster than one for any shape: a file of one size
is compiled for its usual number of images, and for any number only when another one comes.

Shapes: N images of H × W pixels.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from effnet_dense.runtimes.base import Outputs, Session
from effnet_dense.runtimes.inputs import IMAGES, SIZES
from effnet_dense.runtimes.metadata import FOREIGN, KEY, Metadata
from effnet_dense.runtimes.signal_stack import kept_signal_stack

SUFFIX = '.xml'
WEIGHTS = '.bin'
DEVICE = 'CPU'
EXACT: dict[str, Any] = {'INFERENCE_PRECISION_HINT': 'f32', 'DYNAMIC_QUANTIZATION_GROUP_SIZE': 0}
"""Compute in float32 what a file has in float32: neither in bfloat16, which is the default on CPUs
that have it, nor with activations in 8 bits wherever weights are stored in 8 bits."""
RT_INFO = [KEY, 'metadata']
"""Where a file has its metadata: `KEY` alone is a section of the XML."""
WEIGHTS_INFO = [KEY, 'weights_sha256']
"""Where it has the hash of the weights beside it."""


class OpenvinoSession(Session):
    """See `Session`.

    Results are those of PyTorch: see `EXACT`.

    Args:
        path: The folder of a network and its weights (.xml and .bin), or one of the two files.
        device: OpenVINO's name, such as 'CPU' or 'GPU'.
        threads: By default OpenVINO's choice.

    Raises:
        FileNotFoundError: There is no such file.
        ImportError: OpenVINO is not installed.
        ValueError: The file is damaged, or was not exported by this package.
    """

    def __init__(
        self, path: str | os.PathLike[str], device: str = DEVICE, threads: int | None = None
    ) -> None:
        xml = network_file(path)
        runtime = import_openvino()
        _check_weights(xml)
        self._core: Any = runtime.Core()
        self._device, self._settings = device, dict(EXACT)
        if threads:
            self._settings['INFERENCE_NUM_THREADS'] = threads
        try:
            model = self._core.read_model(str(xml))
        except Exception as error:
            raise ValueError(
                f'{xml} is damaged or is not an OpenVINO file{_reason(error)}'
            ) from error
        if not model.has_rt_info(RT_INFO):
            raise ValueError(FOREIGN.format(path=xml))
        self.metadata = Metadata.from_json(model.get_rt_info(RT_INFO).astype(str), str(xml))
        _separate_weights(model, runtime)
        self._path, self._model = xml, model
        self._inputs = [value.get_any_name() for value in model.inputs]
        self._outputs = [value.get_any_name() for value in model.outputs]
        self._usual = _usual_shapes(self.metadata)
        self._compiled: dict[bool, Any] = {}
        self._network(self._usual is not None)

    def _run(self, images: NDArray[np.float32], sizes: NDArray[np.float32]) -> Outputs:
        given = {IMAGES: images, SIZES: sizes}
        network = self._network(self._usual is not None and images.shape == self._usual[IMAGES])
        found = network({name: given[name] for name in self._inputs})
        return {name: found[name] for name in self._outputs}

    def _network(self, usual: bool) -> Any:
        """Return the network for the usual shapes or for all, which is compiled once.

        Raises:
            ValueError: OpenVINO cannot run it.
        """
        if usual not in self._compiled:
            model = self._model.clone()
            try:
                if usual and self._usual is not None:
                    model.reshape({name: self._usual[name] for name in self._inputs})
                with kept_signal_stack():
                    network = self._core.compile_model(model, self._device, self._settings)
            except Exception as error:
                where = f'{self._path} on {self._device}'
                raise ValueError(f'OpenVINO cannot run {where}{_reason(error)}') from error
            self._compiled[usual] = network
        return self._compiled[usual]


def _separate_weights(model: Any, runtime: Any) -> None:
    """Give each convolution that shares 8-bit weights its own copy of them.

    Heads share convolutions between levels, and the norms folded into them give each level its
    own scales. Where one constant is scaled in several ways, OpenVINO 2026.4 computes these
    convolutions in float32 if it compiles them for one shape.
    """
    for node in model.get_ops():
        if node.get_type_name() != 'Constant' or node.get_element_type() != runtime.Type.i8:
            continue
        for reader in list(node.output(0).get_target_inputs())[1:]:
            reader.replace_source_output(runtime.op.Constant(node.data).output(0))


def network_file(path: str | os.PathLike[str]) -> Path:
    """Return the .xml file of a folder, of its weights, or of itself.

    Raises:
        FileNotFoundError: There is none, or it has no weights beside it.
        ValueError: The folder has several.
    """
    path = Path(path)
    path = path.with_suffix(SUFFIX) if path.suffix == WEIGHTS else path
    found = sorted(path.glob(f'*{SUFFIX}')) if path.is_dir() else [path]
    if len(found) > 1:
        names = ', '.join(file.name for file in found[:4])
        raise ValueError(f'expected one {SUFFIX} file in {path}, got {names}: name one')
    if not found or not found[0].is_file():
        raise FileNotFoundError(f'no OpenVINO file {str(found[0] if found else path / "*.xml")!r}')
    weights = found[0].with_suffix(WEIGHTS)
    if not weights.is_file():
        raise FileNotFoundError(f'{found[0]} has no weights beside it: no {weights.name}')
    return found[0]


def _check_weights(xml: Path) -> None:
    """Check that weights are those that were written with a network.

    OpenVINO reads others of sufficient length, or its error blames the network.

    Raises:
        ValueError: They are others.
    """
    try:
        stored = ElementTree.parse(xml).find('/'.join(['rt_info', *WEIGHTS_INFO]))
    except ElementTree.ParseError:  # the error of reading the network says it
        return
    if stored is None:  # written by an earlier version
        return
    path, expected = xml.with_suffix(WEIGHTS), stored.get('value', '')
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise ValueError(
            f'{path} has other weights than {path.stem}{SUFFIX} was written with: expected the '
            f'SHA-256 {expected[:8]}…, got {found[:8]}…'
        )


def import_openvino() -> Any:
    """Import OpenVINO.

    Raises:
        ImportError: It is not installed.
    """
    try:
        import openvino
    except ImportError as error:
        raise ImportError(
            "OpenVINO files need OpenVINO: pip install 'effnet_dense[openvino]'"
        ) from error
    return openvino


def _reason(error: Exception) -> str:
    """Return the last line of an error, where OpenVINO has the reason."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f': {lines[-1].partition(" Please check")[0]:.200}' if lines else ''


def _usual_shapes(metadata: Metadata) -> dict[str, tuple[int, ...]] | None:
    """Return the inputs' shapes of most passes; None if images have no usual size."""
    if metadata.size is None:
        return None
    count = metadata.batch or 1
    return {IMAGES: (count, len(metadata.mean), *metadata.size), SIZES: (count, 2)}
