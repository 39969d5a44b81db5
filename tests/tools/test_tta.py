"""tools/test.py --tta on a detector; on segmentors see tests/configs/test_semantic.py."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.ops import batched_nms

from effnet_dense.models import EfficientNet
from tests.helpers.tiny_models import DETECTOR, SMALL
from tests.helpers.tool import call

# mmdet's own, in mmdet/models/test_time_augs/det_tta.py.
AUGMENTATIONS = """
_base_ = ['LEAF']
tta_model = dict(
    type='DetTTAModel', tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=30))
tta_pipeline = [
    dict(type='effnet_dense.LoadImageFromFile'),
    dict(type='TestTimeAug', transforms=[
        [dict(type='Resize', scale=(64, 64), keep_ratio=True)],
        [dict(type='RandomFlip', prob=1.0), dict(type='RandomFlip', prob=0.0)],
        [dict(type='LoadAnnotations', with_bbox=True)],
        [dict(type='PackDetInputs', meta_keys=(
            'img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip',
            'flip_direction'))]])]
"""


@pytest.fixture
def augmented(tmp_path: Path, repository: Path) -> Path:
    # Not in the work folder, where mmengine writes the config as it ran.
    path = tmp_path / 'configs' / 'augmented.py'
    path.parent.mkdir()
    path.write_text(
        AUGMENTATIONS.replace('LEAF', str(repository / 'configs' / f'{DETECTOR}.py')),
        encoding='utf-8',
    )
    return path


def predictions(config: Any, model: Path, data: Path, out: Path, *words: object) -> list[Any]:
    words = (*words, '--data', data, '--work-dir', out.parent, '--out', out, *SMALL)
    assert call('test', config, model, *words) == 0
    return [sample['pred_instances'] for sample in pickle.loads(out.read_bytes())]


@pytest.mark.slow
def test_a_detector_sees_each_image_twice(
    augmented: Path,
    checkpoint: Path,
    tiny_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    seen: list[torch.Tensor] = []
    forward = EfficientNet.forward

    def spy(self: EfficientNet, x: torch.Tensor) -> Any:
        seen.append(x)
        return forward(self, x)

    monkeypatch.setattr(EfficientNet, 'forward', spy)
    plain = predictions(DETECTOR, checkpoint, tiny_data, tmp_path / 'plain.pkl')
    assert len(seen) == 2
    seen.clear()
    merged = predictions(augmented, checkpoint, tiny_data, tmp_path / 'tta.pkl', '--tta')
    assert 'box AP' in ''.join(capfd.readouterr())
    assert len(seen) == 4
    for once, found, (flipped, upright) in zip(plain, merged, (seen[:2], seen[2:]), strict=True):
        assert torch.equal(flipped.flip(-1), upright)
        assert len(found['scores']) <= 30
        # Merged, the two images have at least the best score of one of them.
        assert found['scores'].max() >= once['scores'].max()
        boxes, scores, labels = (found[key] for key in ('bboxes', 'scores', 'labels'))
        assert len(batched_nms(boxes, scores, labels, 0.5)) == len(boxes)


@pytest.mark.slow
def test_with_norms_folded(
    augmented: Path,
    checkpoint: Path,
    tiny_data: Path,
    tmp_path: Path,
) -> None:
    results = [
        predictions(augmented, checkpoint, tiny_data, tmp_path / f'{number}.pkl', *words)
        for number, words in enumerate((['--tta'], ['--tta', '--deploy', '--channels-last']))
    ]
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found['scores'], expected['scores'])
        torch.testing.assert_close(found['bboxes'], expected['bboxes'], rtol=1e-4, atol=1e-2)


def test_a_pipeline_without_a_size(
    checkpoint: Path,
    tiny_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [DETECTOR, checkpoint, '--data', tiny_data, '--work-dir', tmp_path, '--tta', *SMALL]
    steps = '[dict(type=LoadImageFromFile), dict(type=PackDetInputs)]'
    assert call('test', *given, f'test_dataloader.dataset.pipeline={steps}') == 2
    assert 'add tta_pipeline and tta_model to the config' in capsys.readouterr().err
