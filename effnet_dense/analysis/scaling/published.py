"""Published accuracies of networks at their published sizes, with their sources."""

from __future__ import annotations

from dataclasses import dataclass

EFFICIENTNET = 'arXiv 1905.11946, table 2'
ADVPROP = 'arXiv 1911.09665'
NOISY_STUDENT = 'arXiv 1911.04252'
V2 = 'arXiv 2104.00298, table 7'
TPU = 'tensorflow/tpu models/official/efficientnet'
EFFICIENTDET = 'arXiv 1911.09070, table 2'
AUTOML = 'google/automl efficientdet'


@dataclass(frozen=True)
class Published:
    """An accuracy in percent.

    Args:
        value: Percent.
        metric: Its name and data.
        source: Where it was published.
    """

    value: float
    metric: str
    source: str


def _rows(names: str, values: str, metric: str, source: str) -> dict[str, Published]:
    pairs = zip(names.split(), values.split(), strict=True)
    return {name: Published(float(value), metric, source) for name, value in pairs}


_B = 'b0 b1 b2 b3 b4 b5 b6 b7'
_LITE = 'lite0 lite1 lite2 lite3 lite4'
TOP_1 = 'ImageNet top-1'
AP = 'COCO val2017 box AP'

CLASSIFIERS = {
    **_rows(_B, '77.1 79.1 80.1 81.6 82.9 83.6 84.0 84.3', TOP_1, EFFICIENTNET),
    'b8': Published(85.5, TOP_1, ADVPROP),
    'l2': Published(88.4, f'{TOP_1}, with 300 million unlabelled images', NOISY_STUDENT),
    **_rows(_LITE, '75.1 76.7 77.6 79.8 81.5', TOP_1, f'{TPU}/lite'),
    **_rows('es em el', '77.23 78.69 80.62', TOP_1, f'{TPU}/edgetpu'),
    **_rows('v2_s v2_m v2_l', '83.9 85.2 85.7', TOP_1, V2),
    'v2_xl': Published(87.2, f'{TOP_1}, after ImageNet-21k', V2),
    **_rows(
        'v2_b0 v2_b1 v2_b2 v2_b3', '78.7 79.8 80.5 82.1', TOP_1, 'google/automl efficientnetv2'
    ),
}
DETECTORS = {
    **_rows(
        'd0 d1 d2 d3 d4 d5 d6 d7 d7x',
        '34.3 40.2 43.5 46.8 49.3 51.2 52.1 53.4 54.4',
        AP,
        EFFICIENTDET,
    ),
    **_rows(
        'lite0 lite1 lite2 lite3 lite3x lite4', '26.41 31.5 35.06 38.77 42.64 43.18', AP, AUTOML
    ),
}
# The paper has a row for B4 only.
SEGMENTORS = {
    'b4': Published(81.74, 'Pascal VOC 2012 val mIoU', 'arXiv 1911.09070, section 5.3'),
}
