"""Images in, data samples out; classes from the checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from PIL import Image

import effnet_dense
from effnet_dense.inference import Predictor
from effnet_dense.inference.predictor import checked_device
from tests.helpers.tiny_models import CLASSES, detector, saved

NOISE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def test_classes_and_heads_follow_the_checkpoint(
    detecting: Predictor, segmenting: Predictor
) -> None:
    assert effnet_dense.Predictor is Predictor
    assert detecting.dataset_meta == {'classes': CLASSES, 'palette': [(255, 0, 0)] * 3}
    assert detecting.model.bbox_head.num_classes == 3
    assert detecting.config.model.bbox_head.num_classes == 80, 'the config is left as it is'
    assert segmenting.model.decode_head.num_classes == 3
    assert not detecting.model.training


def test_one_s_own_checkpoint_is_loaded_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records: list[Any] = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'callHandlers', records.append)
    path = saved(detector(), tmp_path / 'x.pth')
    Predictor(detector(), path, 'cpu')
    assert not [record for record in records if 'tensors' in record.getMessage()]
    content = torch.load(path, weights_only=True)
    content['state_dict']['other'] = torch.ones(1)
    torch.save(content, path)
    Predictor(detector(), path, 'cpu')
    (line,) = [record for record in records if 'tensors' in record.getMessage()]
    assert "1 unexpected ('other')" in line.getMessage()


def test_path_array_and_pil_are_one_image(detecting: Predictor, tmp_path: Path) -> None:
    path = tmp_path / 'a.png'
    cv2.imwrite(str(path), NOISE)
    pil = Image.fromarray(NOISE[..., ::-1])
    found = [detecting(image).pred_instances for image in (path, str(path), NOISE, pil)]
    assert len(found[0].scores) == 5
    for other in found[1:]:
        assert torch.equal(other.bboxes, found[0].bboxes)
        assert torch.equal(other.scores, found[0].scores)
    swapped = detecting(NOISE[..., ::-1]).pred_instances
    assert not torch.equal(swapped.bboxes, found[0].bboxes), 'the order of channels matters'
    assert detecting(path).ori_shape == (48, 64)
    assert (found[0].bboxes[:, 2] <= 64).all() and (found[0].bboxes[:, 3] <= 48).all()


def test_batches_keep_the_order(detecting: Predictor, segmenting: Predictor) -> None:
    images = [NOISE, NOISE[::-1].copy(), np.ascontiguousarray(NOISE[:, ::-1])]
    for one, many in zip(
        [detecting(image) for image in images], detecting(images, batch_size=2), strict=True
    ):
        torch.testing.assert_close(many.pred_instances.scores, one.pred_instances.scores)
    images = [NOISE, NOISE[:32].copy(), NOISE[:, :32].copy()]
    maps = [sample.pred_sem_seg.data for sample in segmenting(images, batch_size=3)]
    assert [tuple(m.shape) for m in maps] == [(1, 48, 64), (1, 32, 64), (1, 48, 32)]
    assert torch.equal(maps[1], segmenting(images[1]).pred_sem_seg.data)
    assert detecting([]) == []


def test_deployed(detecting: Predictor, tmp_path: Path) -> None:
    path = saved(detector(), tmp_path / 'x.pth')
    fast = Predictor(detector(), path, 'cpu', deploy=True, channels_last=True)
    names = [name for name, _ in fast.model.backbone.named_modules() if 'bn' in name]
    assert (
        len(names)
        < len([name for name, _ in detecting.model.backbone.named_modules() if 'bn' in name])
        or not names
    )
    torch.testing.assert_close(
        fast(NOISE).pred_instances.scores,
        detecting(NOISE).pred_instances.scores,
        rtol=1e-3,
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ('image', 'words'),
    [
        (np.zeros(4, np.uint8), r'\(4,\) of uint8'),
        (np.zeros((4, 4, 5), np.uint8), r'\(4, 4, 5\)'),
        (np.zeros((3, 48, 64), np.uint8), r'\(3, 48, 64\)'),
        (np.zeros((0, 4, 3), np.uint8), r'\(0, 4, 3\)'),
        (7, 'got a int'),
        (torch.zeros(3, 4, 4), 'got a Tensor'),
    ],
)
def test_what_is_no_image(image: Any, words: str, detecting: Predictor) -> None:
    for images in (image, [NOISE, image]):
        with pytest.raises(ValueError, match=rf'expected an image as .*{words}'):
            detecting(images)


def test_files_that_are_no_image(detecting: Predictor, tmp_path: Path) -> None:
    (tmp_path / 'text.png').write_text('text', encoding='utf-8')
    with pytest.raises(ValueError, match=r'cannot decode image .*text\.png'):
        detecting(tmp_path / 'text.png')
    with pytest.raises(FileNotFoundError, match=r'no image at .*absent\.png'):
        detecting(tmp_path / 'absent.png')
    with pytest.raises(ValueError, match='batch_size of at least 1, got 0'):
        detecting([NOISE], batch_size=0)


def test_a_checkpoint_of_another_model(tmp_path: Path) -> None:
    path = saved(detector(), tmp_path / 'x.pth')
    other = detector()
    other.model.neck.out_channels = other.model.bbox_head.in_channels = 16
    with pytest.raises(ValueError, match=r'x\.pth.*expects'):
        Predictor(other, path, 'cpu')
    checkpoint = torch.load(path, weights_only=True)
    state = checkpoint['state_dict']
    checkpoint['state_dict'] = {k: v for k, v in state.items() if 'bbox_head' not in k}
    torch.save(checkpoint, path)
    with pytest.raises(ValueError, match=r'parameters of the model are missing in it.*bbox_head'):
        Predictor(detector(), path, 'cpu')


@pytest.mark.parametrize('name', ['nope', 'cuda:99', 'meta', 'cpu:x', 'cuda:-1'])
def test_devices_that_do_not_exist(name: str) -> None:
    with pytest.raises(ValueError, match=f'device must be .*got {name!r}') as raised:
        checked_device(name)
    assert '\n' not in str(raised.value)


def test_an_image_that_resizing_would_empty(detecting: Predictor) -> None:
    with pytest.raises(ValueError, match=r'3000 × 2 pixels is too narrow: the test pipeline'):
        detecting(np.zeros((2, 3000, 3), np.uint8))


def test_graphs_are_used_after_the_first_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(detector(), tmp_path / 'epoch_1.pth')
    with pytest.raises(ValueError, match="needs a GPU, and the model runs on 'cpu'"):
        Predictor(detector(), path, 'cpu', cuda_graphs=True)
    runs: list[str] = []

    def capture(module: Any, samples: Any, allow_unused_input: bool) -> Any:
        def replay(*inputs: Any) -> Any:
            runs.append('replay')
            return module(*inputs)

        runs.append('capture')
        return replay

    monkeypatch.setattr('effnet_dense.inference.predictor.check_inference_graphs', lambda _: None)
    monkeypatch.setattr('effnet_dense.engine.inference_graphs.check_inference_graphs', lambda _: 0)
    monkeypatch.setattr('effnet_dense.engine.inference_graphs.capture', capture)
    graphed = Predictor(detector(), path, 'cpu', deploy=True, cuda_graphs=True)
    plain = Predictor(detector(), path, 'cpu', deploy=True)
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    for expected_runs in ([], ['capture', 'replay'] * 3, ['replay'] * 3):
        runs.clear()
        found, expected = graphed(image).pred_instances, plain(image).pred_instances
        assert runs == expected_runs
        assert torch.equal(found.bboxes, expected.bboxes)
