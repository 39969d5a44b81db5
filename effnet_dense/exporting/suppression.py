"""Non-maximum suppression in plain ONNX operators: fixed shapes, any batch, any runtime.

Shapes: N images, K candidates of an image, M results of an image.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import onnx
import onnx.parser

OPSET = 20
IR_VERSION = 10
CANDIDATES = ('candidate_boxes', 'candidate_scores', 'candidate_labels')
KEPT = ('boxes', 'scores', 'labels', 'places')

HARD = """
    {apart}
    candidates = Unsqueeze (candidate_scores, axis_1)
    picked = NonMaxSuppression (separate, candidates, most, iou_threshold)
    place = Gather <axis = 1> (picked, image_and_box)
    values = GatherND (candidate_scores, place)
    none = Sub (candidate_scores, candidate_scores)
    kept = ScatterND (none, place, values)
    best, order = TopK <axis = 1> (kept, most)
"""
"""`picked` are (image, class, box); `kept` has the scores of picked candidates and 0 elsewhere."""

BY_CLASS = """
    largest = ReduceMax <keepdims = 1> (candidate_boxes, axes_12)
    span = Add (largest, one)
    numbers = Cast <to = 1> (candidate_labels)
    column = Unsqueeze (numbers, axis_2)
    shift = Mul (column, span)
    separate = Add (candidate_boxes, shift)
"""
"""As in mmcv's `batched_nms`, boxes of another class are moved to where they cannot overlap."""

AGNOSTIC = 'separate = Identity (candidate_boxes)'

SOFT = """
    left, upper, right, lower = Split <axis = 2, num_outputs = 4> (candidate_boxes)
    x1 = Squeeze (left, axis_2)
    y1 = Squeeze (upper, axis_2)
    x2 = Squeeze (right, axis_2)
    y2 = Squeeze (lower, axis_2)
    wide = Sub (x2, x1)
    high = Sub (y2, y1)
    area = Mul (wide, high)
    lowered, found, positions = Loop <body = turn (
        int64 number, bool unused, float[n, k] now
    ) => (bool again, float[n, k] next, float[n, 1] top, int64[n, 1] first) {{
        again = Identity (unused)
        first = ArgMax <axis = 1, keepdims = 1> (now)
        top = GatherElements <axis = 1> (now, first)
        left_1 = GatherElements <axis = 1> (x1, first)
        upper_1 = GatherElements <axis = 1> (y1, first)
        right_1 = GatherElements <axis = 1> (x2, first)
        lower_1 = GatherElements <axis = 1> (y2, first)
        area_1 = GatherElements <axis = 1> (area, first)
        label_1 = GatherElements <axis = 1> (candidate_labels, first)
        right_2 = Min (x2, right_1)
        left_2 = Max (x1, left_1)
        lower_2 = Min (y2, lower_1)
        upper_2 = Max (y1, upper_1)
        width = Sub (right_2, left_2)
        height = Sub (lower_2, upper_2)
        width_2 = Max (width, zero)
        height_2 = Max (height, zero)
        common = Mul (width_2, height_2)
        both = Add (area, area_1)
        union = Sub (both, common)
        union_2 = Max (union, tiny)
        iou = Div (common, union_2)
        {decay}
        {same}
        factor = Where (same, decay, one)
        faded = Mul (now, factor)
        blank = Sub (top, top)
        rest = ScatterElements <axis = 1> (faded, first, blank)
        high_enough = Greater (rest, min_score)
        next = Where (high_enough, rest, zero)
    }}> (turns, yes, candidate_scores)
    columns = Squeeze (found, axis_2)
    best = Transpose <perm = [1, 0]> (columns)
    columns_2 = Squeeze (positions, axis_2)
    order = Transpose <perm = [1, 0]> (columns_2)
"""
"""The definition (Bodla et al. 2017, arXiv:1704.04503), all images of a batch at once."""

DECAYS = {
    'gaussian': """
        square = Mul (iou, iou)
        share = Div (square, sigma)
        negative = Neg (share)
        decay = Exp (negative)""",
    'linear': """
        over = GreaterOrEqual (iou, iou_threshold)
        rest_1 = Sub (one, iou)
        decay = Where (over, rest_1, one)""",
    'naive': """
        under = Less (iou, iou_threshold)
        decay = Cast <to = 1> (under)""",
}

RESULTS = """
    used = Greater (best, zero)
    taken = GatherElements <axis = 1> (candidate_labels, order)
    labels = Where (used, taken, unused_label)
    scores = Where (used, best, zero)
    rows = Unsqueeze (order, axis_2)
    corners = Expand (rows, corner_shape)
    ordered = GatherElements <axis = 1> (candidate_boxes, corners)
    used_rows = Unsqueeze (used, axis_2)
    boxes = Where (used_rows, ordered, zero)
    places = Identity (order)
"""


def suppression(nms: dict[str, Any], candidates: int, most: int) -> onnx.ModelProto:
    """Build the graph that suppresses overlapping candidates.

    Args:
        nms: mmdet's config: type 'nms' or 'soft_nms' with their arguments, `class_agnostic`.
        candidates: K.
        most: M, at most K: `max_per_img`.

    Returns:
        A model with the inputs `CANDIDATES`: boxes (N, K, 4), scores (N, K), 0 where there is no
        box, and labels (N, K) of int64; and the outputs boxes (N, M, 4), scores (N, M) labels
        (N, M) by descending score, and places (N, M) among the candidates. Unused rows are 0, their
        label is -1, their place any.

    Raises:
        ValueError: See `check_nms`.
    """
    check_nms(nms)
    agnostic = bool(nms.get('class_agnostic', False))
    most = min(most, candidates)
    if nms.get('type', 'nms') == 'nms':
        body = HARD.format(apart=AGNOSTIC if agnostic else BY_CLASS)
    else:
        body = SOFT.format(decay=DECAYS[nms.get('method', 'linear')], same=_same(agnostic))
    body += RESULTS
    words = set(re.findall(r'\w+', body))
    declared = _constants(nms, most)
    constants = ', '.join(declared[name] for name in declared if name in words)
    text = f"""
    <ir_version: {IR_VERSION}, opset_import: ["" : {OPSET}]>
    suppression (float[N, {candidates}, 4] candidate_boxes,
                 float[N, {candidates}] candidate_scores, int64[N, {candidates}] candidate_labels)
    => (float[N, {most}, 4] boxes, float[N, {most}] scores, int64[N, {most}] labels,
        int64[N, {most}] places)
    <{constants}>
    {{ {body} }}
    """
    model = onnx.parser.parse_model(text)
    onnx.checker.check_model(model, full_check=True)
    return model


ARGUMENTS = (
    *('type', 'method', 'iou_threshold', 'iou_thr', 'sigma', 'min_score', 'class_agnostic'),
    'split_thr',
)
"""Of mmcv's suppressions, which the files have, or which change nothing."""
INSTEAD = 'score_thr and max_per_img of test_cfg do what score_threshold and max_num do'
UNSET = {'score_threshold': 0, 'max_num': -1, 'offset': 0}
"""Values of further arguments that change nothing."""


def check_nms(nms: Mapping[str, Any]) -> None:
    """Check that a suppression can be exported.

    Raises:
        ValueError: Its type or method is unknown, or it has further arguments.
    """
    kind, method = nms.get('type', 'nms'), nms.get('method', 'linear')
    if kind not in ('nms', 'soft_nms'):
        raise ValueError(f"expected nms.type to be 'nms' or 'soft_nms', got {kind!r}")
    if kind == 'soft_nms' and method not in DECAYS:
        raise ValueError(f'expected nms.method to be one of {sorted(DECAYS)}, got {method!r}')
    other = {k: v for k, v in nms.items() if k not in ARGUMENTS and v != UNSET.get(k)}
    if other:
        raise ValueError(
            f'expected nms without {", ".join(other)}, which exported files do not have, got '
            f'{other}' + (f': {INSTEAD}' if other.keys() & {'score_threshold', 'max_num'} else '')
        )


def _same(agnostic: bool) -> str:
    overlaps = 'meets = Greater (iou, zero)'
    if agnostic:
        return f'{overlaps}\n same = Identity (meets)'
    return f'{overlaps}\n alike = Equal (candidate_labels, label_1)\n same = And (meets, alike)'


def _constants(nms: dict[str, Any], most: int) -> dict[str, str]:
    """Return name → declaration of every constant that a body may use."""
    numbers = dict(
        iou_threshold=nms.get('iou_threshold', nms.get('iou_thr', 0.3)),
        sigma=nms.get('sigma', 0.5),
        min_score=nms.get('min_score', 1e-3),
        zero=0.0,
        one=1.0,
        tiny=1e-12,
    )
    integers = {
        'int64[1] most': most,
        'int64 turns': most,
        'int64[1] axis_1': 1,
        'int64[1] axis_2': 2,
        'int64[2] axes_12': '1, 2',
        'int64[2] image_and_box': '0, 2',
        'int64[3] corner_shape': '1, 1, 4',
        'int64 unused_label': -1,
        'bool yes': 1,
    }
    declared = {f'float {name}': repr(float(value)) for name, value in numbers.items()} | integers
    return {name.split()[1]: f'{name} = {{{value}}}' for name, value in declared.items()}
