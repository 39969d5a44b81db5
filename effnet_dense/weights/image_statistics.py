"""Means and standard deviations that published weights were trained with: RGB, 0–255."""

from __future__ import annotations

Triple = tuple[float, float, float]
Statistics = tuple[Triple, Triple]

IMAGENET: Statistics = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
HALF: Statistics = ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5))
