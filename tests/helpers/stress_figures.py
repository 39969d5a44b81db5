"""Figures of a stress test with means that are easy to see."""

from __future__ import annotations

from effnet_dense.robustness.figures import Figures

AP = 'coco/bbox_mAP'


def figures() -> Figures:
    """P = 0.5; two corruptions of means 0.3 and 0.2."""
    return Figures(
        AP,
        7,
        {AP: 0.5},
        {'fog': {1: {AP: 0.4}, 5: {AP: 0.2}}, 'shot_noise': {1: {AP: 0.3}, 5: {AP: 0.1}}},
        {'fgsm': {1.0: {AP: 0.3}, 2.0: {AP: 0.1}}},
    )
