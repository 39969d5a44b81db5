"""What mmengine's registries say of a type that they do not find."""

from __future__ import annotations

import pytest
from mmdet.registry import MODELS as OF_MMDET
from mmengine.registry import MODELS, DefaultScope
from mmseg.registry import MODELS as OF_MMSEG
from mmseg.registry import TRANSFORMS


@pytest.mark.parametrize(
    ('registry', 'name', 'hint'),
    [
        (OF_MMSEG, 'EfficientNet', "'effnet_dense.EfficientNet'"),
        (OF_MMDET, 'BiFPN', "'effnet_dense.BiFPN'"),
        (OF_MMDET, 'mmpretrain.EfficientNet', "'effnet_dense.EfficientNet'"),
        (OF_MMDET, 'mmcls.EfficientNet', "'effnet_dense.EfficientNet'"),
        (OF_MMDET, 'EfficientNetV2', "'effnet_dense.EfficientNet' with arch='v2_s'"),
        (OF_MMDET, 'EfficientDetSepBNHead', "'effnet_dense.EfficientDetHead'"),
        (TRANSFORMS, 'LoadLabelMap', "'effnet_dense.LoadLabelMap'"),
        (MODELS, 'bifpn', "'effnet_dense.BiFPN'"),
    ],
)
def test_names_the_packages_type(registry: object, name: str, hint: str) -> None:
    scope = DefaultScope.overwrite_default_scope('mmseg' if registry is OF_MMSEG else None)
    with scope, pytest.raises(KeyError, match='is not in the') as raised:
        registry.build(dict(type=name))  # type: ignore[attr-defined]
    text = raised.value.args[0]
    assert f"; this package's is type={hint}" in text
    assert text.count('effnet_dense.') == 1


def test_in_a_model() -> None:
    head = dict(type='FCNHead', in_channels=4, channels=4, num_classes=2)
    scope = DefaultScope.overwrite_default_scope('mmseg')
    with scope, pytest.raises(KeyError, match=r"type='effnet_dense\.EfficientNet'"):
        model = dict(type='EncoderDecoder', backbone=dict(type='EfficientNet'), decode_head=head)
        OF_MMSEG.build(model)


def test_other_names_are_answered_as_before() -> None:
    with pytest.raises(KeyError, match='is not in the') as raised:
        OF_MMDET.build(dict(type='Unknown'))
    assert 'effnet_dense' not in raised.value.args[0]
