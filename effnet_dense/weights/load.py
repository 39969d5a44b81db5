"""Load weights of any ecosystem into a backbone, classifier, detector or segmentor.

All checks precede the first copied tensor: an error leaves the model unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from mmengine.logging import print_log
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from effnet_dense.models import EfficientNet
from effnet_dense.utils.urls import public_name
from effnet_dense.utils.wrappers import innermost_model
from effnet_dense.weights.backbone_names import BACKBONE
from effnet_dense.weights.detector_checks import (
    check_anchors,
    check_detector_family,
    check_parts,
    fit_classes,
)
from effnet_dense.weights.download import fetch
from effnet_dense.weights.input_channels import fit_input_channels
from effnet_dense.weights.safe import safe_load
from effnet_dense.weights.sources import Source, SourceInfo, coco_detector, source_info
from effnet_dense.weights.translate import Translation, preview, translate, translate_natively
from effnet_dense.weights.values import check_layouts, check_values

# Keys under which training scripts save a state dict; averaged weights are preferred, as in timm.
# (mmengine's EMA hook saves the averaged weights as 'state_dict'.)
WRAPPERS = ('state_dict_ema', 'model_ema', 'state_dict', 'model')
_COUNTER = 'num_batches_tracked'


@dataclass(frozen=True)
class LoadReport:
    """What `load_weights` did.

    Attributes:
        format: The recognised naming, one of `FORMATS`, or 'native' for a model without our
            EfficientNet.
        loaded: Keys of the model.
        missing: Keys of the model that the source lacks, without batch norm's counters, which
            older files lack.
        unexpected: Keys of the source that were not loaded.
    """

    format: str
    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]

    @property
    def as_saved(self) -> bool:
        """Whether the source has the model's own names, and nothing else."""
        return self.format in ('mmdet', 'native') and not self.missing and not self.unexpected

    def __str__(self) -> str:
        parts = [f'{len(self.loaded)} tensors loaded from {self.format} names']
        for title, keys in (('missing', self.missing), ('unexpected', self.unexpected)):
            if keys:
                parts.append(f'{len(keys)} {title} ({preview(list(keys))})')
        return ', '.join(parts)


def load_weights(
    model: nn.Module,
    source: Source | Mapping[str, Any],
    *,
    sha256: str | None = None,
    prefix: str | None = None,
    ignore: Sequence[str] = (),
) -> LoadReport:
    """Load weights from any ecosystem, recognised by their names.

    A head of 80 classes takes COCO's 80 of google/automl's 90 class rows. Two properties of
    mmdet's `projects/EfficientDet` cannot be seen in its files: its max-pooling pads with zeros,
    which changes features at the border, and files written by its `convert_tf_to_pt.py` have boxes
    (y, x, h, w), which would be read as (x, y, w, h). Load effdet's `tf_efficientdet_*` instead,
    which are the same weights.

    Args:
        model: An `EfficientNet`, an `EfficientNetClassifier`, or a detector or segmentor. Its
            `BiFPN` and `EfficientDetHead` also load from the names of effdet and of mmdet's
            `projects/EfficientDet`, other parts from their own names only. Models without our
            backbone load natively.
        source: A path, a URL, `torchvision://…`, `timm://…`, `pypi://…` (see `fetch`), a state
            dict, or a training script's checkpoint that contains one.
        sha256: The file's hash, or its first 8 or more hexadecimal digits.
        prefix: Take only the source's keys that begin with it ('backbone', 'teacher').
        ignore: Prefixes of the model's keys to leave unchanged ('head.', 'bbox_head.').

    Returns:
        The report, which is also logged.

    Raises:
        ValueError: Nothing matches; a shape differs; a tensor is sparse, has NaN or Inf, or
            integers where the model has none; the backbone, BiFPN or EfficientDetHead would lack a
            tensor or has none of that name; or the source needs another padding, another
            batch-norm eps or other anchors.
        FileNotFoundError, ImportError, ConnectionError: See `fetch`.
    """
    report = load_silently(model, source, sha256, prefix, ignore)
    print_log(f'{_name(source)}: {report}', logger='current')
    return report


def load_silently(
    model: nn.Module,
    source: Source | Mapping[str, Any],
    sha256: str | None = None,
    prefix: str | None = None,
    ignore: Sequence[str] = (),
) -> LoadReport:
    """Do the same without logging the report; see `load_weights`."""
    model = innermost_model(model)
    backbone = _backbone_of(model)
    name, info, hint = _name(source), None, ''
    if isinstance(source, str | PathLike):
        info, published = source_info(source), coco_detector(source)
        hint = f'; it fits the config {published.config}' if published else ''
        if backbone is not None and info is not None:
            _check_family(backbone, info, name)
            check_detector_family(model, info, name, tuple(ignore))
        source = safe_load(fetch(source, sha256))
    state = state_dict_of(source, name)
    try:
        check_layouts(state)
        state = _select(state, prefix)
        report = _load(model, backbone, state, info, tuple(ignore))
    except ValueError as error:
        raise ValueError(f'cannot load {name}: {error}{hint}') from None
    return report


def _name(source: Source | Mapping[str, Any]) -> str:
    return public_name(source) if isinstance(source, str | PathLike) else 'the state dict'


def state_dict_of(checkpoint: Any, name: str = 'the checkpoint') -> Mapping[str, Any]:
    """Find the state dict in a training script's checkpoint.

    Raises:
        ValueError: There is none.
    """
    inner = checkpoint
    while isinstance(inner, Mapping):
        wrapper = next((key for key in WRAPPERS if isinstance(inner.get(key), Mapping)), None)
        if wrapper is None:
            break
        inner = inner[wrapper]
    if not isinstance(inner, Mapping):
        raise ValueError(f'{name} holds a {type(inner).__name__}, expected a state dict')
    if not any(isinstance(value, Tensor) for value in inner.values()):
        raise ValueError(f'{name} has no tensors, but {preview([str(key) for key in inner])}')
    return inner


def translated(model: nn.Module, state: Mapping[str, Any]) -> Translation:
    """Rename a source's tensors to a model's keys, if it has our backbone (see `translate`).

    Raises:
        ValueError: See `translate`.
    """
    backbone = _backbone_of(model)
    if backbone is None:
        return translate_natively(model, state)
    return translate(model, backbone, state)


def _load(
    model: nn.Module,
    backbone: EfficientNet | None,
    state: Mapping[str, Any],
    info: SourceInfo | None,
    ignore: tuple[str, ...],
) -> LoadReport:
    own = model.state_dict()
    translation = translated(model, state)
    for key in [key for key in translation.tensors if key.startswith(ignore)]:
        translation.unexpected.append(translation.origin[key])
        del translation.tensors[key]
    _fit_classifier(translation, own)
    if backbone is not None:
        fit_input_channels(translation, own, backbone.in_channels)
    check_anchors(model, translation, info)
    fit_classes(model, translation)
    _check_shapes(translation, own)
    check_parts(model, translation, own, ignore)
    check_values(translation.tensors, own)
    if backbone is not None:
        _check_complete(backbone, '' if model is backbone else BACKBONE, translation, ignore)
    loaded = tuple(key for key in own if key in translation.tensors)
    if not loaded:
        raise ValueError(f'nothing to load: none of {preview(list(state))} is a key of the model')
    # Keys that the model lacks are included: modules may rename old keys in their loading hooks.
    rest = model.load_state_dict(translation.tensors, strict=False)
    unexpected = [translation.origin.get(key, key) for key in rest.unexpected_keys]
    missing = tuple(key for key in rest.missing_keys if not key.endswith(_COUNTER))
    return LoadReport(
        translation.format, loaded, missing, tuple(unexpected + translation.unexpected)
    )


def _backbone_of(model: nn.Module) -> EfficientNet | None:
    found = model if isinstance(model, EfficientNet) else getattr(model, 'backbone', None)
    return found if isinstance(found, EfficientNet) else None


def _select(state: Mapping[str, Any], prefix: str | None) -> Mapping[str, Any]:
    if not prefix:
        return state
    prefix = prefix.rstrip('.') + '.'
    chosen = {key[len(prefix) :]: v for key, v in state.items() if key.startswith(prefix)}
    if not chosen:
        raise ValueError(f'it has no key that begins with {prefix!r}: {preview(list(state))}')
    return chosen


def _check_family(backbone: EfficientNet, info: SourceInfo, name: str) -> None:
    """Compare padding and eps: a wrong one changes features by 6–9 % without any other sign."""
    if backbone.padding != info.padding:
        raise ValueError(
            f'the weights of {name} need padding={info.padding!r} in the backbone, '
            f'got {backbone.padding!r}'
        )
    eps = next((norm.eps for norm in backbone.modules() if isinstance(norm, _BatchNorm)), None)
    if eps is not None and abs(eps - info.bn_eps) > 1e-3 * info.bn_eps:
        raise ValueError(
            f"the weights of {name} need eps={info.bn_eps:g} in the backbone's norm_cfg, "
            f'got {eps:g}'
        )


def _fit_classifier(translation: Translation, own: Mapping[str, Tensor]) -> None:
    """Check the number of classes; drop the background in row 0 of TensorFlow's EdgeTPU files."""
    for key in ('head.fc.weight', 'head.fc.bias'):
        if key not in translation.tensors or key not in own:
            continue
        if not translation.tensors[key].ndim:
            continue  # a wrong shape, reported with the others
        given, expected = len(translation.tensors[key]), len(own[key])
        if (given, expected) == (1001, 1000):
            translation.tensors[key] = translation.tensors[key][1:]
        elif given != expected:
            raise ValueError(
                f'{translation.origin[key]!r} has {given} classes, the model {expected}: load '
                "everything but the classifier with load_weights(..., ignore=('head.',))"
            )


def _check_shapes(translation: Translation, own: Mapping[str, Tensor]) -> None:
    wrong = [
        f'{translation.origin[key]!r} has shape {tuple(tensor.shape)}, '
        f'{key!r} expects {tuple(own[key].shape)}'
        for key, tensor in translation.tensors.items()
        if key in own and tensor.shape != own[key].shape
    ]
    if wrong:
        more = f' ({len(wrong) - 1} more differ)' if len(wrong) > 1 else ''
        raise ValueError(
            f'{wrong[0]}{more}: are these the weights of another architecture? A head can be '
            "left out with load_weights(..., ignore=('bbox_head.',)), in a config with "
            "load_from_ignore=['bbox_head.']"
        )


def _check_complete(
    backbone: EfficientNet, root: str, translation: Translation, ignore: tuple[str, ...]
) -> None:
    keys = [root + key for key in backbone.state_dict() if not key.endswith(_COUNTER)]
    missing = [key for key in keys if key not in translation.tensors and not key.startswith(ignore)]
    if missing:
        raise ValueError(
            f'the source ({translation.format} names) lacks {preview(missing)}, which '
            f'{backbone.architecture.name!r} has: are these the weights of another architecture?'
        )
