"""RT-DETR beside transformers' (see tests/reference/rtdetr.py): outputs, losses, gradients."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from mmdet.models.dense_heads import DETRHead
from mmdet.structures import DetDataSample
from torch import Tensor

from tests.reference import rtdetr as reference

THEIRS = json.loads(reference.FILE.read_text(encoding='utf-8'))


def outputs(model: Any, features: list[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Logits and boxes of each layer, and of the encoder's chosen positions."""
    memory, levels = model.pre_transformer(model.neck(features), reference.samples())
    chosen = {}

    def keep(name: str) -> Any:
        return lambda module, args, output: chosen.update({name: output})

    last = model.decoder.num_layers
    hooks = [
        getattr(model.bbox_head, f'{name}_branches')[last].register_forward_hook(keep(name))
        for name in ('cls', 'reg')
    ]
    queries, _ = model.pre_decoder(**model.forward_encoder(**memory))
    for hook in hooks:
        hook.remove()
    logits, boxes = model.bbox_head(**model.forward_decoder(**levels, **queries))
    _, anchors = model.gen_encoder_output_proposals(
        memory['memory'], None, memory['spatial_shapes']
    )
    best = chosen['cls'].max(-1).values.topk(reference.QUERIES, 1).indices[..., None]
    first = chosen['cls'].gather(1, best.expand(-1, -1, reference.CLASSES))
    first_box = (chosen['reg'] + anchors).sigmoid().gather(1, best.expand(-1, -1, 4))
    return logits, boxes, first, first_box


def losses(model: Any, found: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """The head's losses without denoising."""
    logits, boxes, first, first_box = found
    samples = reference.samples()
    objects = [sample.gt_instances for sample in samples]
    metas = [sample.metainfo for sample in samples]
    of_layers = DETRHead.loss_by_feat(model.bbox_head, logits, boxes, objects, metas)
    of_encoder = model.bbox_head.loss_by_feat_single(first, first_box, objects, metas)
    return of_layers | dict(zip(('cls_0', 'bbox_0', 'iou_0'), of_encoder, strict=True))


@pytest.mark.parametrize('count', [1, 2])
def test_outputs_and_losses_are_transformers(count: int) -> None:
    model = reference.detector(count)
    found = outputs(model, reference.features())
    theirs = THEIRS[f'{count} layers']
    torch.testing.assert_close(found[0][-1], torch.tensor(theirs['logits']), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[1][-1], torch.tensor(theirs['boxes']), rtol=1e-4, atol=1e-5)
    ours = losses(model, found)
    names = dict(vfl='loss_cls', bbox='loss_bbox', giou='loss_iou')
    for name, own in names.items():
        assert float(ours[own]) == pytest.approx(theirs['losses'][f'loss_{name}'], rel=1e-4)
        encoder = theirs['losses'][f'loss_{name}_aux_{count - 1}']
        assert float(ours[f'{own[5:]}_0']) == pytest.approx(encoder, rel=1e-4)
        if count == 2:
            auxiliary = theirs['losses'][f'loss_{name}_aux_0']
            assert float(ours[f'd0.{own}']) == pytest.approx(auxiliary, rel=1e-4)


def test_gradients_are_transformers() -> None:
    """With one layer: from the second on, transformers' boxes do not learn through the first."""
    model, features = reference.detector(1), reference.features()
    sum(losses(model, outputs(model, features)).values(), torch.zeros(())).backward()
    theirs = THEIRS['1 layers']
    for feature, (total, absolute) in zip(features, theirs['gradients'], strict=True):
        assert feature.grad is not None
        assert float(feature.grad.abs().sum()) == pytest.approx(absolute, rel=1e-3)
        assert float(feature.grad.sum()) == pytest.approx(total, abs=1e-3 * absolute)
    last = features[-1].grad
    assert last is not None
    expected = torch.tensor(theirs['gradient'])
    torch.testing.assert_close(last.flatten(), expected, rtol=1e-3, atol=1e-6)


def test_boxes_learn_through_the_layer_before_and_queries_do_not() -> None:
    """As in the authors' code."""
    model = reference.detector(2)
    memory, levels = model.pre_transformer(model.neck(reference.features()))
    queries, _ = model.pre_decoder(**model.forward_encoder(**memory))
    states = model.forward_decoder(**levels, **queries)
    first = model.bbox_head.reg_branches[0][0].weight
    last = states['hidden_states'][-1].square().sum()
    assert torch.autograd.grad(last, first, retain_graph=True, allow_unused=True) == (None,)
    _, boxes = model.bbox_head(**states)
    (gradient,) = torch.autograd.grad(boxes[-1].sum(), first)
    assert gradient.abs().sum() > 0


def test_an_image_that_does_not_fill_the_batch_is_refused() -> None:
    model = reference.detector(1)
    sample = DetDataSample(metainfo=dict(img_shape=(64, 90), batch_input_shape=(64, 96)))
    with pytest.raises(ValueError, match=r'got 90 × 64 pixels in a batch of 96 × 64'):
        model.pre_transformer(model.neck(reference.features()), [sample])
    sample.set_metainfo(dict(img_shape=(63, 95)))  # as mmdet's random sizes round
    model.pre_transformer(model.neck(reference.features()), [sample])


@pytest.mark.parametrize('objects', [True, False])
def test_a_training_step_reaches_every_weight(objects: bool) -> None:
    """Also without an object in the batch: DDP waits for every gradient."""
    model = reference.detector(2).train()
    images = torch.randn(2, 3, *reference.SIZE)
    model.extract_feat = lambda inputs: model.neck(reference.features())
    samples = reference.samples()
    if not objects:
        for sample in samples:
            sample.gt_instances = sample.gt_instances[:0]
    found = model.loss(images, samples)
    assert len([name for name in found if 'dn_loss' in name]) == 6
    sum(found.values()).backward()
    without = [
        name
        for name, values in model.named_parameters()
        if values.grad is None and not name.startswith('backbone')
    ]
    assert without == []


@pytest.mark.parametrize('size', [(7, 9), (8, 12)])
def test_levels_of_any_size(size: tuple[int, int]) -> None:
    height, width = size
    given = [
        torch.randn(1, channels, -(-height // 2**level), -(-width // 2**level))
        for level, channels in enumerate(reference.CHANNELS)
    ]
    found = reference.detector(1).neck(given)
    assert [level.shape[2:] for level in found] == [level.shape[2:] for level in given]


def test_wrong_levels_are_refused() -> None:
    neck = reference.detector(1).neck
    with pytest.raises(ValueError, match='expected 3 levels, got 2'):
        neck(reference.features()[:2])
    with pytest.raises(ValueError, match='a multiple of 4, got'):
        type(neck)([8], 30, layer_cfg={})
