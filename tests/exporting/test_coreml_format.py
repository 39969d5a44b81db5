"""CoreML's folders are written; only macOS runs them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from effnet_dense.exporting import export
from effnet_dense.exporting.formats import check_out, write
from effnet_dense.exporting.program import traced
from effnet_dense.runtimes.metadata import KEY, Metadata
from tests.helpers.exported_files import METADATA
from tests.helpers.tiny_models import detector, saved

REASON = 'coremltools is in the environment of ExecuTorch: bash tools/environment.sh executorch'
FLOAT32, FLOAT16 = 65568, 65552


def test_mistakes(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"a name with \.mlpackage, got 'a'"):
        check_out(Path('a'), 'coreml')
    for precision in ('int8', 'int8-weights'):
        with pytest.raises(ValueError, match=f'coreml has no precision {precision}: its accuracy'):
            check_out(Path('a.mlpackage'), 'coreml', precision)
    monkeypatch.setitem(sys.modules, 'coremltools', None)
    with pytest.raises(ImportError, match=r"pip install 'effnet_dense\[coreml\]'"):
        check_out(Path('a.mlpackage'), 'coreml')


@pytest.mark.slow
def test_a_detector(tmp_path: Path) -> None:
    tools = pytest.importorskip('coremltools', reason=REASON)
    config = detector()
    checkpoint = str(saved(config, tmp_path / 'x.pth'))
    sizes = {}
    for precision in ('fp32', 'fp16'):
        path = tmp_path / f'{precision}.mlpackage'
        given: dict[str, Any] = dict(size=(64, 64), format='coreml', precision=precision)
        export(config, checkpoint, path, **given)
        weights = path / 'Data/com.apple.CoreML/weights/weight.bin'
        sizes[precision] = weights.stat().st_size
        model = tools.models.MLModel(str(path), skip_model_load=True)
        metadata = Metadata.from_json(model.user_defined_metadata[KEY], 'x')
        assert (metadata.precision, metadata.post, metadata.batch) == (precision, 'dense', 1)
        description = model.get_spec().description
        (images,) = description.input
        assert images.name == 'images'
        found = {value.name: value.type.multiArrayType for value in description.output}
        assert list(found) == ['boxes', 'logits']
        assert list(found['boxes'].shape) == [1, sum(metadata.levels or []), 4]
        assert {value.dataType for value in found.values()} == {FLOAT32}
    assert 0.45 < sizes['fp16'] / sizes['fp32'] < 0.55
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'fp16.mlpackage',
        'fp32.mlpackage',
        'x.pth',
    ]


class Signal(nn.Module):
    """Has an operator that coremltools lacks."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.special.bessel_j0(images)


def test_what_it_cannot_convert(tmp_path: Path) -> None:
    pytest.importorskip('coremltools', reason=REASON)
    program = traced(Signal(), torch.zeros(1, 3, 32, 64))
    with pytest.raises(ValueError, match=r'^coremltools cannot convert this model: .*bessel'):
        write(program, METADATA, tmp_path / 'a.mlpackage', 'coreml')
    assert list(tmp_path.iterdir()) == []
