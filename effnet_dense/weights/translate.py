"""Whose names a state dict has, and its tensors under ours."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from effnet_dense.models import EfficientNet
from effnet_dense.scaling import Architecture
from effnet_dense.weights.detector_names import EFFDET_ROOTS, detector_parts, detector_table
from effnet_dense.weights.detector_rows import BOX_KEYS, swap_xy
from effnet_dense.weights.formats import (
    BACKBONE,
    NAMINGS,
    find_stem,
    layer_of,
    name_table,
)

# What DDP and torch.compile put in front of a model's names.
_WRAPPER_PREFIXES = ('', 'module.', '_orig_mod.')


@dataclass(frozen=True)
class Translation:
    """A source's tensors under the model's names (`state`), and what those are called there.

    `origin` maps each key of `state` to the source's; `unexpected` are the source's other keys.
    """

    format: str
    state: OrderedDict[str, Tensor]
    origin: dict[str, str]
    unexpected: list[str]


def translate(model: nn.Module, backbone: EfficientNet, source: Mapping[str, Any]) -> Translation:
    """Rename what the source has of the model's backbone, classifier, neck and head.

    effdet's boxes are (y, x, h, w) and become (x, y, w, h).

    Args:
        model: The whole; other parts than the backbone, BiFPN and EfficientDetHead keep their
            names.
        backbone: The model itself, or its part `backbone`.
        source: A state dict.

    Raises:
        ValueError: The naming is unknown or ambiguous, or the source has tensors in a built layer
            for which the architecture has no place.
    """
    architecture = backbone.architecture
    format, prefix = detect_format(source, architecture)
    table = {theirs: ours for ours, theirs in name_table(architecture, format).items()}
    if format == 'mmdet':
        # Other norms than BN have other names than the table's.
        table.update({BACKBONE + key: BACKBONE + key for key in backbone.state_dict()})
    table.update({theirs: ours for ours, theirs in detector_table(model, format).items()})
    names = {}
    for key, full in _without_wrappers(source, format, prefix).items():
        ours = table.get(full)
        if ours is None:
            _refuse_leftover(key, full, format, backbone)
        if ours is None and format == 'mmdet':
            ours = full  # neck, heads
        elif ours is None and format == 'effdet':
            ours = _leftover_of_part(full, model)
        if ours is not None:
            names[key] = ours.removeprefix(BACKBONE) if model is backbone else ours
    translation = _rename(format, names, source)
    if format == 'effdet':
        for key in translation.state.keys() & set(BOX_KEYS):
            translation.state[key] = swap_xy(translation.state[key])
    return translation


def translate_natively(model: nn.Module, source: Mapping[str, Any]) -> Translation:
    """The same names, with or without what DDP and torch.compile put in front."""
    own = model.state_dict()
    root = max(_WRAPPER_PREFIXES, key=lambda root: sum(root + key in source for key in own))
    return _rename('native', {key: key.removeprefix(root) for key in source}, source)


def detect_format(source: Mapping[str, Any], architecture: Architecture) -> tuple[str, str]:
    """Find the naming by the stem's convolution, which each ecosystem calls something else.

    Returns:
        The format, and the prefix in front of the stem: '' or 'backbone.' in published weights,
        'module.backbone.' and the like in others.

    Raises:
        ValueError: No stem, or several of equal right; the message tells the prefixes.
    """
    stems: dict[str, list[str]] = {}
    for format in NAMINGS:
        for prefix in find_stem(source, format):
            # effdet's backbone is timm's under 'backbone.'.
            if format not in ('effdet', 'timm') or (
                prefix.endswith(BACKBONE) == (format == 'effdet')
            ):
                stems.setdefault(prefix, []).append(format)
    prefix = _choose_prefix(list(stems), source)
    formats = stems[prefix]
    if len(formats) == 1:
        return formats[0], prefix

    def known_keys(format: str) -> int:
        full = set(_without_wrappers(source, format, prefix).values())
        return len(full & set(name_table(architecture, format).values()))

    return max(formats, key=known_keys), prefix


def some(keys: list[str], limit: int = 3) -> str:
    """The first few of many names, and how many more there are."""
    more = f' and {len(keys) - limit} more' if len(keys) > limit else ''
    return ', '.join(map(repr, keys[:limit])) + more if keys else 'no keys'


def _choose_prefix(prefixes: list[str], source: Mapping[str, Any]) -> str:
    if not prefixes:
        stems = ', '.join(sorted({naming.stem[0] for naming in NAMINGS.values()}))
        raise ValueError(
            f'nothing to load: no EfficientNet stem ({stems}) among {some(list(source))}'
        )
    if '' in prefixes:
        return ''
    # A neck's first convolution may be called like a stem.
    chosen = [prefix for prefix in prefixes if prefix.endswith(BACKBONE)] or prefixes
    if BACKBONE in chosen:
        return BACKBONE
    if len(chosen) > 1:
        raise ValueError(f'several backbones: choose one with prefix=, of {", ".join(chosen)}')
    return chosen[0]


def _without_wrappers(source: Mapping[str, Any], format: str, prefix: str) -> dict[str, str]:
    """The source's keys → the same as in a whole, bare model of that ecosystem."""
    whole = NAMINGS[format].prefix
    if whole and not prefix.endswith(whole):  # a backbone's state dict
        return {key: whole + key[len(prefix) :] for key in source if key.startswith(prefix)}
    root = prefix.removesuffix(whole)
    return {key: key[len(root) :] for key in source if key.startswith(root)}


def _refuse_leftover(key: str, full: str, format: str, backbone: EfficientNet) -> None:
    architecture = backbone.architecture
    layer = layer_of(full, architecture, format)
    if layer is not None and layer < len(backbone.layers):
        raise ValueError(
            f'{key!r} belongs into layer {layer}, where {architecture.name!r} has no such tensor: '
            'are these the weights of another architecture?'
        )


def _leftover_of_part(full: str, model: nn.Module) -> str | None:
    """A name below the neck or head that effdet's key belongs to, which has no such tensor."""
    parts = (part for part in detector_parts(model) if full.startswith(EFFDET_ROOTS[part]))
    return next((f'{part}.{full}' for part in parts), None)


def _rename(format: str, names: dict[str, str], source: Mapping[str, Any]) -> Translation:
    """`names` maps the source's keys to the model's."""
    tensors = {key: ours for key, ours in names.items() if isinstance(source[key], Tensor)}
    state = OrderedDict((ours, source[key].detach()) for key, ours in tensors.items())
    if all(key == ours for key, ours in tensors.items()) and hasattr(source, '_metadata'):
        state._metadata = source._metadata  # type: ignore[attr-defined]
    unexpected = [key for key in source if key not in tensors]
    return Translation(format, state, {ours: key for key, ours in tensors.items()}, unexpected)
