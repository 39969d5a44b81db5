"""Recognise the ecosystem of a state dict by its names, and rename its tensors to ours."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from effnet_dense.models import EfficientNet
from effnet_dense.scaling import Architecture
from effnet_dense.weights.backbone_names import (
    BACKBONE,
    FORMATS,
    PREFIXES,
    layer_of,
    name_table,
    stem_key,
    stem_prefixes,
)
from effnet_dense.weights.detector_names import EFFDET_PREFIXES, detector_parts, detector_table
from effnet_dense.weights.detector_rows import BOX_KEYS, swap_xy

# Prefixes of a model's keys, as DDP and torch.compile add them.
_WRAPPERS = ('', 'module.', '_orig_mod.')


@dataclass(frozen=True)
class Translation:
    """A source's tensors under the model's names.

    Attributes:
        format: The recognised naming, one of `FORMATS` or 'native'.
        tensors: The model's key → the source's tensor.
        origin: The model's key → the source's key.
        unexpected: The source's other keys.
    """

    format: str
    tensors: OrderedDict[str, Tensor]
    origin: dict[str, str]
    unexpected: list[str]


def translate(model: nn.Module, backbone: EfficientNet, state: Mapping[str, Any]) -> Translation:
    """Rename a source's tensors of backbone, classifier, neck and head.

    effdet's boxes are (y, x, h, w) and become (x, y, w, h).

    Args:
        model: The complete model; parts other than the backbone, BiFPN and EfficientDetHead keep
            their names.
        backbone: The model itself, or its attribute `backbone`.
        state: The source's state dict.

    Raises:
        ValueError: The naming is unknown or ambiguous, or the source has a tensor in a built layer
            that the architecture lacks.
    """
    architecture = backbone.architecture
    format, prefix = detect_format(state, architecture)
    table = {theirs: ours for ours, theirs in name_table(architecture, format).items()}
    if format == 'mmdet':
        # The table has the names of BN only.
        table.update({BACKBONE + key: BACKBONE + key for key in backbone.state_dict()})
    table.update({theirs: ours for ours, theirs in detector_table(model, format).items()})
    names = {}
    for key, full in _full_keys(state, format, prefix).items():
        ours = table.get(full)
        if ours is None:
            _refuse_other_architecture(key, full, format, backbone)
        if ours is None and format == 'mmdet':
            ours = full  # neck, heads
        elif ours is None and format == 'effdet':
            ours = _placeholder_key(full, model)
        if ours is not None:
            names[key] = ours.removeprefix(BACKBONE) if model is backbone else ours
    translation = _rename(format, names, state)
    if format == 'effdet':
        for key in translation.tensors.keys() & set(BOX_KEYS):
            rows = translation.tensors[key]
            if rows.ndim and len(rows) % 4 == 0:  # else a wrong shape, reported with the others
                translation.tensors[key] = swap_xy(rows)
    return translation


def translate_natively(model: nn.Module, state: Mapping[str, Any]) -> Translation:
    """Keep the source's names, without the prefix that DDP or torch.compile may have added."""
    own = model.state_dict()
    wrapper = max(_WRAPPERS, key=lambda wrapper: sum(wrapper + key in state for key in own))
    return _rename('native', {key: key.removeprefix(wrapper) for key in state}, state)


def detect_format(state: Mapping[str, Any], architecture: Architecture) -> tuple[str, str]:
    """Recognise the naming by the stem's convolution, which has a different name in each.

    Returns:
        The format, and the prefix of the stem's key: '' or 'backbone.' in published weights,
        'module.backbone.' and the like in others.

    Raises:
        ValueError: There is no stem, or several of equal rank; the message lists the prefixes.
    """
    stems: dict[str, list[str]] = {}
    for format in FORMATS:
        for prefix in stem_prefixes(state, format):
            # effdet's backbone is timm's, prefixed with 'backbone.'.
            if format not in ('effdet', 'timm') or (
                prefix.endswith(BACKBONE) == (format == 'effdet')
            ):
                stems.setdefault(prefix, []).append(format)
    prefix = _choose_prefix(list(stems), state)
    formats = stems[prefix]
    if len(formats) == 1:
        return formats[0], prefix

    def matching_keys(format: str) -> int:
        full = set(_full_keys(state, format, prefix).values())
        return len(full & set(name_table(architecture, format).values()))

    return max(formats, key=matching_keys), prefix


def preview(keys: list[str], limit: int = 3) -> str:
    """List the first few keys, and how many more there are."""
    more = f' and {len(keys) - limit} more' if len(keys) > limit else ''
    return ', '.join(map(repr, keys[:limit])) + more if keys else 'no keys'


def _choose_prefix(prefixes: list[str], state: Mapping[str, Any]) -> str:
    if not prefixes:
        stems = ', '.join(sorted({stem_key(format).removesuffix('.weight') for format in FORMATS}))
        raise ValueError(
            f'nothing to load: no EfficientNet stem ({stems}) among {preview(list(state))}'
        )
    if '' in prefixes:
        return ''
    # A neck's first convolution may have the name of a stem.
    chosen = [prefix for prefix in prefixes if prefix.endswith(BACKBONE)] or prefixes
    if BACKBONE in chosen:
        return BACKBONE
    if len(chosen) > 1:
        raise ValueError(f'several backbones: choose one with prefix=, of {", ".join(chosen)}')
    return chosen[0]


def _full_keys(state: Mapping[str, Any], format: str, prefix: str) -> dict[str, str]:
    """Map the source's keys to those of the unwrapped, complete model of that ecosystem."""
    root = PREFIXES[format]
    if root and not prefix.endswith(root):  # a backbone's state dict
        return {key: root + key[len(prefix) :] for key in state if key.startswith(prefix)}
    wrapper = prefix.removesuffix(root)
    return {key: key[len(wrapper) :] for key in state if key.startswith(wrapper)}


def _refuse_other_architecture(key: str, full: str, format: str, backbone: EfficientNet) -> None:
    architecture = backbone.architecture
    layer = layer_of(full, architecture, format)
    if layer is not None and layer < len(backbone.layers):
        raise ValueError(
            f'{key!r} belongs to layer {layer}, where {architecture.name!r} has no such tensor: '
            'are these the weights of another architecture?'
        )


def _placeholder_key(full: str, model: nn.Module) -> str | None:
    """Return a key in our neck or head for an effdet key without counterpart there.

    `check_parts` then reports it.
    """
    parts = (part for part in detector_parts(model) if full.startswith(EFFDET_PREFIXES[part]))
    return next((f'{part}.{full}' for part in parts), None)


def _rename(format: str, names: dict[str, str], state: Mapping[str, Any]) -> Translation:
    """Translate by `names`, which maps the source's keys to the model's."""
    chosen = {key: ours for key, ours in names.items() if isinstance(state[key], Tensor)}
    tensors = OrderedDict((ours, state[key].detach()) for key, ours in chosen.items())
    if all(key == ours for key, ours in chosen.items()) and hasattr(state, '_metadata'):
        tensors._metadata = state._metadata  # type: ignore[attr-defined]
    unexpected = [key for key in state if key not in chosen]
    return Translation(format, tensors, {ours: key for key, ours in chosen.items()}, unexpected)
