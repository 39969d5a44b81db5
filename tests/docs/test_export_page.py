"""The scripts of the pages on exports find what `Predictor` finds, without PyTorch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from PIL import Image

from effnet_dense.exporting.formats import write
from effnet_dense.inference import Predictor
from tests.helpers import documents
from tests.helpers.exported_files import DETECTOR, whole_image
from tests.helpers.exported_programs import three_priors_program
from tests.helpers.litert_files import DENSE, three_priors

HARD: dict[str, Any] = dict(type='nms', iou_threshold=0.5)
SOFT: dict[str, Any] = dict(type='soft_nms', method='gaussian', sigma=0.5, min_score=0.001)

WITHOUT = """
import sys
for name in ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmdet', 'effnet_dense'):
    sys.modules[name] = None  # importing it fails
"""


def run_script(page: str, word: str, folder: Path, values: NDArray[np.uint8]) -> str:
    """Run a page's script that has a word, in a folder with an image; return what it prints."""
    return run_text(WITHOUT + block(page, word), folder, values)


def block(page: str, word: str) -> str:
    """Return a page's script that has a word."""
    blocks = documents.blocks(documents.ROOT / page, 'python')
    return next(code for code in blocks if word in code)


def run_text(script: str, folder: Path, values: NDArray[np.uint8]) -> str:
    """Run a script in a folder with an image; return what it prints."""
    (folder / 'page.py').write_text(script, encoding='utf-8')
    Image.fromarray(values[..., ::-1].copy()).save(folder / 'street.png')
    (folder / 'street.png').rename(folder / 'street.jpg')
    run = subprocess.run(
        [sys.executable, 'page.py'],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding='utf-8',
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def openvino_script() -> str:
    """Return the page's script for OpenVINO: that for ONNX, but for the lines that differ."""
    script = block('docs/export.md', 'import onnxruntime')
    opened, run = block('docs/export.md', 'openvino.Core()').split('compiled =')
    image, loop = script.index('image ='), script.index('for box')
    head = script[: script.index('session =')].replace('import onnxruntime', 'import openvino')
    middle = script[image : script.index('boxes, scores, labels =')]
    return f'{head}{opened}{middle}compiled ={run}{script[loop:]}'


@pytest.mark.parametrize(
    ('form', 'changes'),
    [
        ('onnx', {}),
        ('openvino', {}),
        ('onnx', dict(size=None, multiple=32)),
        ('onnx', dict(size=[96, 64])),
    ],
)
def test_the_script_needs_no_pytorch(form: str, changes: dict[str, Any], tmp_path: Path) -> None:
    path = whole_image(tmp_path / 'model.onnx', replace(DETECTOR, **changes))
    script = block('docs/export.md', 'import onnxruntime')
    if form == 'openvino':
        pytest.importorskip('openvino')
        script = openvino_script()
        model = onnx.load(str(path))
        path.unlink()
        path = tmp_path / 'model_openvino'
        write(model, DETECTOR, path, form)
    values = np.random.default_rng(0).integers(0, 256, (50, 80, 3), dtype=np.uint8)
    values[..., 0] //= 3  # little blue: channels in the wrong order change the score
    printed = run_text(WITHOUT + script, tmp_path, values)
    found = Predictor(path)(values).pred_instances
    score, box = found.scores.item(), found.bboxes[0].numpy()
    assert score > 0.6 and box.tolist() == [0, 0, 80, 50]
    assert printed == f'{DETECTOR.classes[1]} {score:.2f} {box.round(1)}\n'


@pytest.mark.parametrize('nms', [HARD, SOFT], ids=lambda nms: nms['type'])
def test_the_script_for_phones(tmp_path: Path, nms: dict[str, Any]) -> None:
    pytest.importorskip('ai_edge_litert')
    numbers = dict(score_thr=0.3, nms_pre=4, min_bbox_size=20, max_per_img=5, nms=nms)
    path = three_priors(tmp_path / 'model.tflite', nms=numbers)
    values = np.random.default_rng(0).integers(0, 256, (40, 64, 3), dtype=np.uint8)
    values[..., 0] //= 3
    printed = run_script('docs/export-mobile.md', 'ai_edge_litert', tmp_path, values)
    found = Predictor(path)(values).pred_instances
    assert len(found) == (3 if nms is HARD else 4)
    assert printed == ''.join(
        f'{DENSE.classes[label]} {score:.2f} {box.numpy().round(1)}\n'
        for label, score, box in zip(found.labels, found.scores, found.bboxes, strict=True)
        if score > 0.3
    )


def test_the_lines_for_executorch(tmp_path: Path) -> None:
    reason = 'ExecuTorch is in an environment of its own: bash tools/environment.sh executorch'
    pytest.importorskip('executorch', reason=reason)
    path = three_priors_program('executorch', tmp_path / 'model.pte')
    page = 'docs/export-mobile.md'
    script = block(page, 'ai_edge_litert').splitlines(keepends=True)
    own = next(i for i, line in enumerate(script) if line.startswith('rules'))
    run = next(i for i, line in enumerate(script) if line.startswith('found ='))
    kept = [line for line in script[:own] if 'ai_edge' not in line and 'import ' in line]
    lines = [*kept, block(page, 'executorch.runtime'), *script[own:run]]
    lines += [block(page, "load_method('forward')"), *script[run + 1 :]]
    values = np.random.default_rng(0).integers(0, 256, (40, 64, 3), dtype=np.uint8)
    found = Predictor(path)(values).pred_instances
    printed = run_text(''.join(lines), tmp_path, values)
    assert len(found) == 3
    assert printed == ''.join(
        f'{DENSE.classes[label]} {score:.2f} {box.numpy().round(1)}\n'
        for label, score, box in zip(found.labels, found.scores, found.bboxes, strict=True)
        if score > 0.3
    )
