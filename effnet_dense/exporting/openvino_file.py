"""Convert ONNX graphs to OpenVINO's, and save them with their metadata."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import onnx

from effnet_dense.runtimes.metadata import Metadata
from effnet_dense.runtimes.openvino_session import (
    RT_INFO,
    SUFFIX,
    WEIGHTS,
    WEIGHTS_INFO,
    import_openvino,
)

NAME = 'model'
MODEL_TYPES = {'detection': 'ssd', 'semantic': 'Segmentation'}
"""Task → what OpenVINO's model_api calls it; it has none that reads the masks."""

ENDS = ('Parameter', 'Result')
"""Types of layers whose names count."""

REASONS = ('While validating', '-- ')
"""How the lines of OpenVINO's errors begin that name an operator, best first."""


def to_openvino(model: onnx.ModelProto, fused: bool = False) -> Any:
    """Convert an ONNX graph; names of inputs and outputs stay.

    Args:
        model: The graph.
        fused: Factors are multiplied into the weights of convolutions, and layers may lose their
            names; several that shared weights then have their own.

    Raises:
        ValueError: OpenVINO cannot; the message has its reason.
    """
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    for node in copied.graph.node:
        if node.op_type == 'MaxPool':
            _pad_explicitly(node)
    try:
        data = io.BytesIO(copied.SerializeToString())
        if fused:
            return import_openvino().convert_model(data)
        converted = import_openvino().Core().read_model(data)
    except Exception as error:  # whatever its frontend raises
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        named = [line for start in REASONS for line in lines if line.startswith(start)]
        reason = [*named, lines[-1]][0]
        raise ValueError(f'OpenVINO cannot convert this model: {reason:.300}') from error
    if not _has_stored_weights(model):
        _fold_constants(converted)
    return converted


def save_openvino(model: Any, metadata: Metadata, folder: Path) -> None:
    """Write model.xml and model.bin into a folder.

    Args:
        model: OpenVINO's; it gets the metadata.
        metadata: The file's.
        folder: It exists.
    """
    model.set_rt_info(metadata.to_json(), RT_INFO)
    for key, value in model_info(metadata).items():
        model.set_rt_info(value, ['model_info', key])
    # Weights of lower precision are in the graph already; decoding stays in float32.
    path = folder / f'{NAME}{SUFFIX}'
    import_openvino().save_model(model, str(path), compress_to_fp16=False)
    _compact(path)


def model_info(metadata: Metadata) -> dict[str, str]:
    """Return what OpenVINO's model_api reads from a file.

    It pads before normalising, by one value for all channels.
    """
    mean, std = metadata.mean, metadata.std
    grey = sum(metadata.pad_value * s + m for m, s in zip(mean, std, strict=True)) / len(mean)
    keeps_ratio = metadata.resize is not None and metadata.resize.get('keep_ratio', False)
    info = dict(
        labels=' '.join(name.replace(' ', '_') for name in metadata.classes),
        resize_type='fit_to_window' if keeps_ratio else 'standard',
        pad_value=str(round(min(max(grey, 0), 255))),
        mean_values=' '.join(map(str, mean)),
        scale_values=' '.join(map(str, std)),
        reverse_input_channels=str(metadata.channels == 'RGB'),
    )
    if metadata.task in MODEL_TYPES:
        info['model_type'] = MODEL_TYPES[metadata.task]
    if metadata.task != 'semantic':
        numbers = metadata.nms.get('rcnn') or metadata.nms
        nms = numbers.get('nms') or {}
        info['iou_threshold'] = str(nms.get('iou_threshold', nms.get('iou_thr', 0.5)))
        info['confidence_threshold'] = str(numbers.get('score_thr', 0.0))
    return info


def _has_stored_weights(model: onnx.ModelProto) -> bool:
    """Whether weights are converted to float32 by operators, which folding would remove."""
    types = {tensor.data_type for tensor in model.graph.initializer}
    return bool(types & {onnx.TensorProto.FLOAT16, onnx.TensorProto.INT8, onnx.TensorProto.UINT8})


def _compact(path: Path) -> None:
    """Write a graph's XML file without what OpenVINO finds out itself, half of it, in place.

    It infers shapes and types of values, and constants have theirs among their data; it reads the
    types of outputs nevertheless. Layers have the names of their outputs, or numbers of NNCF's.
    """
    tree = ElementTree.parse(path)
    for layer in tree.iterfind('.//layer'):
        if layer.get('type') in ENDS:
            continue
        layer.set('name', str(layer.get('id')))
        for port in layer.iterfind('.//port'):
            port.attrib.pop('names', None)
            for dim in port.findall('dim'):
                port.remove(dim)
        for port in layer.iterfind('input/port'):
            port.attrib.pop('precision', None)
        for data in layer.iterfind('data'):
            if data.get('auto_broadcast') == 'numpy':  # the default
                data.attrib.pop('auto_broadcast')
    section, name = WEIGHTS_INFO
    known = tree.find(f'rt_info/{section}')
    if known is not None:
        weights = path.with_suffix(WEIGHTS).read_bytes()
        ElementTree.SubElement(known, name, value=hashlib.sha256(weights).hexdigest())
    for element in tree.iter():
        element.tail = None
        if element.text is not None and not element.text.strip():
            element.text = None
    text = ElementTree.tostring(tree.getroot(), encoding='utf-8', xml_declaration=True)
    path.write_bytes(text.replace(b' />', b'/>'))


def _fold_constants(model: Any) -> None:
    """Compute what depends on constants alone, in place.

    The frontend shapes weights and biases by operators: NNCF takes them for data, and rounds
    depthwise weights without storing them in 8 bits. `openvino.convert_model` folds more, but also
    into convolutions that levels share.
    """
    import_openvino()
    from openvino.passes import ConstantFolding, Manager

    passes = Manager()
    passes.register_pass(ConstantFolding())
    passes.run_passes(model)


def _pad_explicitly(node: onnx.NodeProto) -> None:
    """Replace a pooling's ceil_mode by padding, which gives the same values.

    OpenVINO refuses a window of 3 pixels on a side of 2, as EfficientDet's coarsest level has it
    for small images.
    """
    values = {attribute.name: attribute for attribute in node.attribute}
    same = (
        'ceil_mode' in values
        and values['ceil_mode'].i == 1
        and list(values['kernel_shape'].ints) == [3, 3]
        and list(values['strides'].ints) == [2, 2]
        and ('pads' not in values or not any(values['pads'].ints))
    )
    if same:
        kept = [value for name, value in values.items() if name not in ('ceil_mode', 'pads')]
        del node.attribute[:]
        node.attribute.extend([*kept, onnx.helper.make_attribute('pads', [0, 0, 1, 1])])
