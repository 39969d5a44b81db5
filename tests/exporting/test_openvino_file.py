"""OpenVINO's graphs compute what ONNX Runtime's do, and say what model_api reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx.parser
import onnxruntime
import pytest

from effnet_dense.exporting.openvino_file import model_info, save_openvino, to_openvino
from effnet_dense.exporting.suppression import CANDIDATES, suppression
from tests.helpers.exported_files import GRAPH, METADATA

openvino = pytest.importorskip('openvino')
SOFT = dict(type='soft_nms', iou_threshold=0.4, sigma=0.5, min_score=0.05)


def run_both(model: onnx.ModelProto, given: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Return each output by ONNX Runtime and by OpenVINO."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    settings = {'INFERENCE_PRECISION_HINT': 'f32'}
    compiled = openvino.compile_model(to_openvino(model), 'CPU', settings)
    found = compiled(given)
    names = [value.name for value in model.graph.output]
    return [(a, found[n]) for n, a in zip(names, session.run(names, given), strict=True)]


@pytest.mark.parametrize('agnostic', [False, True])
@pytest.mark.parametrize('kind', [dict(type='nms', iou_threshold=0.5), SOFT])
def test_suppression(kind: dict[str, Any], agnostic: bool) -> None:
    model = suppression({**kind, 'class_agnostic': agnostic}, 40, 15)
    random = np.random.default_rng(0)
    for count in (1, 3):
        corners = random.random((count, 40, 2), np.float32) * 60
        boxes = np.concatenate([corners, corners + 20 + 10 * random.random(corners.shape)], -1)
        scores = random.random((count, 40), np.float32)
        values = (boxes.astype(np.float32), scores, random.integers(0, 3, (count, 40)))
        pairs = run_both(model, dict(zip(CANDIDATES, values, strict=True)))
        for expected, found in pairs:
            assert found.dtype == expected.dtype
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        assert (pairs[2][0] >= 0).sum() > 5 * count


def test_a_saved_graph_is_the_same(tmp_path: Path) -> None:
    """A file has no shapes of inputs, but those that OpenVINO infers are what they were."""
    graph = to_openvino(suppression(SOFT, 40, 15))
    before = openvino.compile_model(graph, 'CPU')
    shapes = [
        [str(value.get_partial_shape()) for value in node.inputs()] for node in graph.get_ops()
    ]
    save_openvino(graph, METADATA, tmp_path)
    text = (tmp_path / 'model.xml').read_text(encoding='utf-8')
    assert text.count('\n') <= 1 and '<dim>' in text
    core = openvino.Core()
    read = core.read_model(tmp_path / 'model.xml')
    found = [[str(value.get_partial_shape()) for value in node.inputs()] for node in read.get_ops()]
    assert sorted(found) == sorted(shapes)
    for one, other in ((read.inputs, graph.inputs), (read.outputs, graph.outputs)):
        assert [value.get_any_name() for value in one] == [v.get_any_name() for v in other]
    random = np.random.default_rng(0)
    boxes = np.sort(random.random((2, 40, 4), np.float32) * 60, -1)
    values = (boxes, random.random((2, 40), np.float32), random.integers(0, 3, (2, 40)))
    given = dict(zip(CANDIDATES, values, strict=True))
    after = core.compile_model(read, 'CPU')(given)
    for name, value in before(given).to_dict().items():
        np.testing.assert_array_equal(after[name.get_any_name()], value)


@pytest.mark.parametrize('side', [2, 3, 4, 7])
def test_pooling_of_small_sides(side: int) -> None:
    model = onnx.parser.parse_model(
        f"""
        <ir_version: 10, opset_import: ["" : 20]>
        g (float[N, 2, {side}, 8] images) => (float[N, 2, A, 4] pooled) {{
            pooled = MaxPool <kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1> (images)
        }}
        """
    )
    images = -1 - np.random.default_rng(0).random((2, 2, side, 8), np.float32)
    for expected, found in run_both(model, {'images': images}):
        np.testing.assert_array_equal(found, expected)


def test_a_graph_that_it_cannot_convert() -> None:
    model = onnx.parser.parse_model(
        """
        <ir_version: 10, opset_import: ["" : 20, "elsewhere" : 1]>
        g (float[N, 2] images) => (float[N, 2] logits) { logits = elsewhere.Magic (images) }
        """
    )
    with pytest.raises(ValueError, match=r'^OpenVINO cannot convert this model: .*Magic') as found:
        to_openvino(model)
    assert '\n' not in str(found.value)


def test_what_model_api_reads(tmp_path: Path) -> None:
    named = replace(
        METADATA,
        task='detection',
        classes=['traffic light', 'ä "b" <c>'],
        pad_value=-1.0,
        resize=dict(scale=[64, 32], keep_ratio=True),
        nms=dict(score_thr=0.05, nms=dict(type='nms', iou_threshold=0.6)),
    )
    assert model_info(named) == dict(
        model_type='ssd',
        labels='traffic_light ä_"b"_<c>',
        resize_type='fit_to_window',
        pad_value='50',  # the mean of 100 − 50, 110 − 60 and 120 − 70
        mean_values='100.0 110.0 120.0',
        scale_values='50.0 60.0 70.0',
        reverse_input_channels='True',
        iou_threshold='0.6',
        confidence_threshold='0.05',
    )
    save_openvino(to_openvino(onnx.parser.parse_model(GRAPH)), named, tmp_path)
    found = openvino.Core().read_model(tmp_path / 'model.xml')
    for key, value in model_info(named).items():
        assert found.get_rt_info(['model_info', key]).astype(str) == value


def test_model_api_of_a_segmentor() -> None:
    info = model_info(replace(METADATA, channels='BGR'))
    assert (info['model_type'], info['resize_type']) == ('Segmentation', 'standard')
    assert info['reverse_input_channels'] == 'False' and 'iou_threshold' not in info


def test_what_model_api_reads_of_models_with_masks_or_two_stages() -> None:
    nms = dict(type='nms', iou_threshold=0.6)
    single, double = dict(score_thr=0.05, nms=nms), dict(rpn={}, rcnn=dict(score_thr=0.05, nms=nms))
    for task in ('detection', 'instance', 'panoptic'):
        for numbers in (single, double):
            info = model_info(replace(METADATA, task=task, nms=numbers))
            assert (info['iou_threshold'], info['confidence_threshold']) == ('0.6', '0.05')
            assert ('model_type' in info) == (task == 'detection')
