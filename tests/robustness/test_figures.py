"""P, mPC and rPC by hand."""

from __future__ import annotations

import math

import pytest

from effnet_dense.robustness.figures import Figures, chosen_metric
from tests.helpers.stress_figures import AP, figures


def test_means() -> None:
    found = figures()
    assert found.name == 'AP' and found.performance == 0.5
    assert found.under_corruption == pytest.approx(0.25)
    assert found.relative == pytest.approx(0.5)
    assert found.of_corruption('fog') == pytest.approx(0.3)
    assert found.of_severity(5) == pytest.approx(0.15)
    assert found.by_family() == pytest.approx({'noise': 0.2, 'weather': 0.3})
    assert found.by_epsilon('fgsm') == {0.0: 0.5, 1.0: 0.3, 2.0: 0.1}


def test_nothing_is_nan_and_null() -> None:
    found = Figures('mIoU', 1, {'mIoU': 0.0})
    assert math.isnan(found.under_corruption) and math.isnan(found.relative)
    assert found.as_dict()['mPC'] is None and found.name == 'mIoU'


def test_json_has_what_was_measured() -> None:
    found = figures().as_dict()
    assert found['P'] == 0.5 and found['severities']['fog'] == {'1': 0.4, '5': 0.2}
    assert found['attacks'] == {'fgsm': {'0.0': 0.5, '1.0': 0.3, '2.0': 0.1}}
    assert found['metrics']['attacked']['fgsm']['2.0'] == {AP: 0.1}


def test_the_metric() -> None:
    metrics = {'coco/segm_mAP': 0.1, AP: 0.2, 'x': 1.0}
    assert chosen_metric(metrics) == AP
    assert chosen_metric(metrics, 'coco/segm_mAP') == 'coco/segm_mAP'
    assert chosen_metric({'x': 1.0}) == 'x'
    with pytest.raises(ValueError, match=r"no metric 'bbox_mAP' \(nearest: 'coco/bbox_mAP'\)"):
        chosen_metric(metrics, 'bbox_mAP')
    with pytest.raises(ValueError, match='gives no figure'):
        chosen_metric({})
