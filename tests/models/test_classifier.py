import pytest
import torch

from effnet_dense.hub import create_classifier
from effnet_dense.models import EfficientNetClassifier


def test_create_classifier():
    model = create_classifier('b0')
    assert not model.training
    assert model(torch.randn(1, 3, 224, 224)).shape == (1, 1000)
    assert create_classifier('lite0', num_classes=7)(torch.randn(2, 3, 64, 64)).shape == (2, 7)


def test_classifier_has_mmpretrains_names():
    names = set(EfficientNetClassifier('lite0').state_dict())
    assert {'head.fc.weight', 'head.fc.bias', 'backbone.layers.6.conv.weight'} <= names


@pytest.mark.parametrize('num_classes', [0, -3, 2.5, True])
def test_classifier_needs_a_class(num_classes):
    with pytest.raises(ValueError, match=f'positive integer, got {num_classes!r}'):
        EfficientNetClassifier('lite0', num_classes=num_classes)
