"""The script of docs/export.md finds what `Predictor` finds, where PyTorch is not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from effnet_dense.inference import Predictor
from tests.helpers import documents
from tests.helpers.exported_files import DETECTOR, whole_image

WITHOUT = """
import sys
for name in ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmdet', 'effnet_dense'):
    sys.modules[name] = None  # importing it fails
"""


def test_the_script_needs_no_pytorch(tmp_path: Path) -> None:
    blocks = documents.blocks(documents.ROOT / 'docs/export.md', 'python')
    script = next(code for code in blocks if 'import onnxruntime' in code)
    (tmp_path / 'page.py').write_text(WITHOUT + script, encoding='utf-8')
    path = whole_image(tmp_path / 'model.onnx')
    values = np.random.default_rng(0).integers(0, 256, (40, 64, 3), dtype=np.uint8)
    values[..., 0] //= 3  # little blue: channels in the wrong order change the score
    image = Image.fromarray(values[..., ::-1].copy())
    image.save(tmp_path / 'street.png')
    (tmp_path / 'street.png').rename(tmp_path / 'street.jpg')
    run = subprocess.run(
        [sys.executable, 'page.py'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding='utf-8',
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    found = Predictor(path)(values).pred_instances
    score, box = found.scores.item(), found.bboxes[0].numpy()
    assert score > 0.6 and box.tolist() == [0, 0, 64, 40]
    assert run.stdout == f'{DETECTOR.classes[1]} {score:.2f} {box.round(1)}\n'
