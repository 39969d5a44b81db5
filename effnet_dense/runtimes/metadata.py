"""What an exported file says about itself: one JSON text, with which it runs without this package.

Written by `effnet_dense.export`; `docs/export.md` lists the fields.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, dataclass, field, fields
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

KEY = 'effnet_dense'
"""Under which files have it, such as ONNX's `metadata_props`."""

SCHEMA = 3
"""Of the fields below. A reader refuses a later one. 2: `multiple`, where `size` is None. 3:
`threshold`, `align_corners`, other steps in `resize`."""

FOREIGN = (
    '{path} has no metadata of effnet_dense: expected a file that `effnet-dense export` has written'
)
"""What is answered to a file without `KEY`."""

TASKS = ('detection', 'instance', 'panoptic', 'semantic', 'classification', 'features')

CHANNELS = ('RGB', 'BGR')


@dataclass(frozen=True)
class Metadata:
    """An exported model.

    Attributes:
        task: One of `TASKS`.
        model: The network's type, such as 'RetinaNet' or 'EfficientNetClassifier b0'.
        classes: Names in the order of the labels; [] if they are not known.
        palette: Their colours, [R, G, B] each.
        size: [height, width] of the input, in pixels; None: see `multiple`.
        batch: Images per pass; None: any number.
        mean: Of each channel in the order of `channels`, which is subtracted from 0 … 255.
        std: By which the difference is divided.
        pad_value: Of normalised pixels to the right of an image and below it.
        channels: 'RGB', or 'BGR' as images are loaded; further bands follow in their order.
        resize: {'scale': [width, height], 'keep_ratio': bool}; or another resizing step of the
            pipeline, with its 'type'. None: images keep their size, or nothing is known, of
            classifiers and backbones.
        post: 'nms', 'decoded', 'dense' or 'raw' for detectors, 'labels' or 'raw' for segmentors,
            'raw' for classifiers, 'features' for backbones.
        outputs: Name → what it is.
        nms: The numbers of decoding and suppression, as in mmdet's test_cfg.
        pipeline: The test pipeline as the config has it.
        preprocessor: The data preprocessor as the config has it.
        checkpoint: Name of the checkpoint's file.
        sha256: Of that file.
        version: Of this package.
        licence: Of this package; weights may have another.
        masks: How masks are read: {'within': 'box', 'threshold': t}, probabilities that fill their
            box; or {'within': 'image', 'stride': s, 'threshold': t}, logits at that stride of the
            input. None: there are none.
        panoptic: mmdet's config of what merges masks and `semantic_logits`; None: nothing does.
        levels: Priors of each level, the rows of 'dense' outputs: `nms_pre` counts within each.
        layout: Of maps, i.e. the input, logits of pixels and masks: 'NCHW' or 'NHWC'.
        dtype: Of the input.
        precision: 'fp32'; 'fp16' or 'int8-weights', in which weights are stored; or 'int8'.
        accuracy: Of an int8 file: {'metric': …, 'fp32': …, 'int8': …, 'images': …,
            'float_layers': [names that were not quantised]}.
        multiple: Of which height and width of the input are multiples, in pixels; None: the input
            has one size.
        threshold: Of a segmentor with one logit: the probability above which pixels are of class 1.
        align_corners: How a segmentor's logits are resized to the image's size, as in PyTorch.
        schema: See `SCHEMA`.
    """

    task: str
    model: str
    classes: list[str]
    palette: list[list[int]]
    size: list[int] | None
    batch: int | None
    mean: list[float]
    std: list[float]
    pad_value: float
    channels: str
    resize: dict[str, Any] | None
    post: str
    outputs: dict[str, str]
    nms: dict[str, Any]
    pipeline: list[dict[str, Any]]
    preprocessor: dict[str, Any]
    checkpoint: str
    sha256: str
    version: str
    masks: dict[str, Any] | None = None
    panoptic: dict[str, Any] | None = None
    levels: list[int] | None = None
    licence: str = 'Apache-2.0'
    layout: str = 'NCHW'
    dtype: str = 'float32'
    precision: str = 'fp32'
    accuracy: dict[str, Any] = field(default_factory=dict)
    multiple: int | None = None
    threshold: float | None = None
    align_corners: bool = False
    schema: int = field(default=SCHEMA)

    def to_json(self) -> str:
        """Return the text that goes into a file."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @staticmethod
    def from_json(text: str, name: str) -> Metadata:
        """Read the text of a file.

        Args:
            text: See `to_json`.
            name: The file's, for messages.

        Raises:
            ValueError: It is damaged or changed, or of a later version.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ValueError(f'{name}: its metadata is no JSON ({error})') from error
        if not isinstance(values, dict) or not isinstance(values.get('schema'), int):
            raise ValueError(f'{name}: expected metadata of effnet_dense, got {text[:60]!r}')
        if values['schema'] > SCHEMA:
            raise ValueError(
                f'{name} was written by effnet_dense {values.get("version")}, whose metadata '
                f'(version {values["schema"]}) this one (version {SCHEMA}) cannot read: update '
                'effnet_dense'
            )
        needed = {f.name for f in fields(Metadata) if f.default is f.default_factory is MISSING}
        missing = sorted(needed - values.keys())
        if missing:
            raise ValueError(f'{name}: its metadata lacks {", ".join(missing)}')
        hints = get_type_hints(Metadata)
        known = {key: value for key, value in values.items() if key in hints}
        for key, value in known.items():
            if not _fits(value, hints[key]):
                raise ValueError(
                    f'{name}: expected {key} of its metadata to be {_named(hints[key])}, got '
                    f'{value!r:.60}'
                )
        found = Metadata(**known)
        if found.task not in TASKS or found.channels not in CHANNELS or 0 in found.std:
            raise ValueError(
                f'{name}: expected its metadata to have one of the tasks {", ".join(TASKS)}, '
                f'channels RGB or BGR and std without zeros, got {found.task!r}, '
                f'{found.channels!r} and {found.std}'
            )
        return found


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value read from JSON has a type, and what a list has its."""
    if isinstance(hint, UnionType):
        return any(_fits(value, each) for each in get_args(hint))
    kind = get_origin(hint) or hint
    if kind is list:
        return isinstance(value, list) and all(_fits(each, get_args(hint)[0]) for each in value)
    if kind in (int, float):
        return isinstance(value, int | kind) and not isinstance(value, bool)
    return isinstance(value, kind)


def _named(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
