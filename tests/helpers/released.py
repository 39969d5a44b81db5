"""Files of published detectors, made here: random weights under the release's name and names."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from effnet_dense.weights.coco_detectors import COCO_DETECTORS


def release(model: nn.Module, source: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a detector's weights into a torch hub cache, as if a source had been downloaded.

    Args:
        model: With its own ecosystem's names.
        source: A row of `COCO_DETECTORS`, whose hash becomes that of the new file.
        folder: Of the cache, which is in use from here on.
        monkeypatch: The test's.
    """
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(folder))
    row = COCO_DETECTORS[source]
    (folder / 'checkpoints').mkdir(parents=True)
    unnamed = folder / 'checkpoints' / 'unnamed'
    torch.save(model.state_dict(), unnamed)
    sha256 = hashlib.sha256(unnamed.read_bytes()).hexdigest()[:8]
    url = row.url.replace(row.sha256, sha256)
    monkeypatch.setitem(COCO_DETECTORS, source, replace(row, url=url))
    return unnamed.rename(unnamed.with_name(f'{row.file}-{sha256}.pth'))
