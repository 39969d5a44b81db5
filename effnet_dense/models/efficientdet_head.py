"""EfficientDet's head: levels → class logits and box deltas → loss or boxes.

Shapes: N images, level l of H_l × W_l cells, A anchors per cell, P anchors of an image over all
levels, C classes, K ground truths. Boxes are (x1, y1, x2, y2) in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

from mmcv.cnn import build_norm_layer
from mmdet.models.dense_heads import AnchorHead
from mmengine.model import bias_init_with_prob, normal_init
from mmengine.structures import InstanceData
from torch import Tensor, nn

from effnet_dense.models.acceleration import apply_lean
from effnet_dense.models.activations import Config, activation
from effnet_dense.models.dense_losses import DenseLosses, flatten_levels
from effnet_dense.models.layers import (
    DEFAULT_ACT,
    DEFAULT_NORM,
    RunsLayers,
    SeparableConv,
)
from effnet_dense.models.small_levels import ACTIVATIONS, small_levels
from effnet_dense.ops.joined_nets import Net, joined_nets
from effnet_dense.ops.soft_nms import batched_soft_nms
from effnet_dense.registry import MODELS

DEFAULT_ANCHORS: Config = dict(
    type='effnet_dense.EfficientDetAnchorGenerator', strides=[8, 16, 32, 64, 128]
)
DEFAULT_LOSS_CLS: Config = dict(type='effnet_dense.FocalLoss', use_sigmoid=True)
DEFAULT_LOSS_BBOX: Config = dict(type='effnet_dense.HuberLoss')


@MODELS.register_module()
class EfficientDetHead(RunsLayers, DenseLosses, AnchorHead):
    """Class and box nets: convolutions shared by all levels, a norm for each level and repeat.

    Source: EfficientDet (arXiv 1911.09070), google/automl `tf2/efficientdet_keras.py`.

    Args:
        num_classes: C, without a background class.
        in_channels: Channels of every level and of the convolutions.
        stacked_convs: Repeats before the prediction layer.
        conv_bias: Give convolutions before a norm a bias, as google/automl's weights have.
        norm_cfg: Config of all norms.
        act_cfg: Activation after each norm.
        lean: What training saves, as in `EfficientNet`.
        anchor_generator: `effnet_dense.EfficientDetAnchorGenerator` or mmdet's AnchorGenerator.
        loss_cls: `effnet_dense.FocalLoss`, or one of mmdet's losses with use_sigmoid=True.
        loss_bbox: Loss of the deltas, or of boxes in pixels with `reg_decoded_bbox`. Both losses
            are normalised by the batch's number of positive anchors + 1.
        train_cfg: `assigner`: `effnet_dense.ArgMaxAssigner` or one of mmdet's.
        test_cfg: `nms_pre` best scores over all levels and classes together (-1 for all),
            `score_thr`, `nms` (mmcv's, or dict(type='soft_nms', sigma, min_score, method)),
            `max_per_img`.
        kwargs: Arguments of mmdet's AnchorHead: bbox_coder, reg_decoded_bbox.

    Raises:
        ValueError: The classification loss does not use sigmoids.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        stacked_convs: int = 3,
        conv_bias: bool = False,
        norm_cfg: Config = DEFAULT_NORM,
        act_cfg: Config = DEFAULT_ACT,
        anchor_generator: Config = DEFAULT_ANCHORS,
        loss_cls: Config = DEFAULT_LOSS_CLS,
        loss_bbox: Config = DEFAULT_LOSS_BBOX,
        train_cfg: Config | None = None,
        test_cfg: Config | None = None,
        lean: int = 1,
        init_cfg: Config | list[Config] | None = None,
        **kwargs: Any,
    ) -> None:
        if not loss_cls.get('use_sigmoid'):
            raise ValueError(f'loss_cls must have use_sigmoid=True, got {dict(loss_cls)}')
        self.stacked_convs = stacked_convs
        self.conv_bias = conv_bias
        self.norm_cfg = norm_cfg
        self.act_cfg = act_cfg
        super().__init__(
            num_classes,
            in_channels,
            feat_channels=in_channels,
            anchor_generator=anchor_generator,
            loss_cls=loss_cls,
            loss_bbox=loss_bbox,
            train_cfg=train_cfg,
            test_cfg=test_cfg,
            init_cfg=init_cfg,
            **kwargs,
        )
        apply_lean(self, lean)

    def _init_layers(self) -> None:
        self.act = activation(self.act_cfg)
        self.cls_convs, self.cls_norms = self._make_net()
        self.reg_convs, self.reg_norms = self._make_net()
        anchors = self.num_base_priors
        self.cls_predict = SeparableConv(self.in_channels, anchors * self.cls_out_channels)
        self.reg_predict = SeparableConv(self.in_channels, anchors * self.bbox_coder.encode_size)
        self.apply(_initialise)
        # Objects are rare, and an anchor is a better first guess than noise around it.
        # google/automl initialises these like the rest, and trains for 300 epochs.
        normal_init(self.cls_predict.pointwise, std=0.01, bias=bias_init_with_prob(0.01))
        normal_init(self.reg_predict.pointwise, std=0.01)

    def _make_net(self) -> tuple[nn.ModuleList, nn.ModuleList]:
        """Build the convolutions by repeat, and the norms by repeat and level."""
        channels, levels = self.in_channels, self.prior_generator.num_levels
        convs = nn.ModuleList(
            SeparableConv(channels, channels, bias=self.conv_bias)
            for _ in range(self.stacked_convs)
        )
        norms = nn.ModuleList(
            nn.ModuleList(build_norm_layer(self.norm_cfg, channels)[1] for _ in range(levels))
            for _ in range(self.stacked_convs)
        )
        return convs, norms

    def forward(self, feats: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Predict on every level.

        Args:
            feats: (N, in_channels, H_l, W_l) of each level, finest first.

        Returns:
            Logits (N, A·C, H_l, W_l) and deltas (N, A·4, H_l, W_l) of each level.

        Raises:
            ValueError: The numbers of levels and strides differ.
        """
        levels = self.prior_generator.num_levels
        if len(feats) != levels:
            raise ValueError(
                f'EfficientDetHead has anchors for {levels} levels, got {len(feats)} features: '
                "compare anchor_generator.strides with the neck's num_outs"
            )
        nets = (
            Net([*self.cls_convs, self.cls_predict], cast(Any, self.cls_norms)),
            Net([*self.reg_convs, self.reg_predict], cast(Any, self.reg_norms)),
        )
        small = small_levels(self, nets, feats)
        outs: list[Any] = [
            [None if level in small else self._run(net, level, x) for level, x in enumerate(feats)]
            for net in nets
        ]
        if small:
            first, second = (net.on_levels(small) for net in nets)
            act, inputs = ACTIVATIONS[type(self.act)], [feats[level] for level in small]
            for out, found in zip(outs, joined_nets(first, second, act, inputs), strict=True):
                for level, x in zip(small, found, strict=True):
                    out[level] = x
        return outs[0], outs[1]

    def _run(self, net: Net, level: int, x: Tensor) -> Tensor:
        """Run one of the two nets on a level: (N, in_channels, H_l, W_l) → (N, A·k, H_l, W_l)."""
        *convs, predict = net.convs
        layers: list[nn.Module] = []
        for conv, by_level in zip(convs, net.norms, strict=True):
            layers += [conv, by_level[level], self.act]
        return self.run_layers([*layers, predict], x)

    def predict_by_feat(
        self,
        cls_scores: Sequence[Tensor],
        bbox_preds: Sequence[Tensor],
        score_factors: None = None,
        batch_img_metas: Sequence[dict[str, Any]] = (),
        cfg: Config | None = None,
        rescale: bool = False,
        with_nms: bool = True,
    ) -> list[InstanceData]:
        """Turn logits and deltas into boxes.

        Args:
            cls_scores: Logits (N, A·C, H_l, W_l) of each level.
            bbox_preds: Deltas (N, A·4, H_l, W_l) of each level.
            batch_img_metas: For each image `img_shape`, with `rescale` also `scale_factor`.
            cfg: Replaces `test_cfg`.
            rescale: Scale boxes to the pixels of the image as loaded.
            with_nms: Suppress overlapping boxes of one class.

        Returns:
            For each image `bboxes` (M, 4), `scores` (M,) and `labels` (M,), by descending score.
        """
        cfg = self.test_cfg if cfg is None else cfg
        priors = self._priors(cls_scores)
        logits = flatten_levels(cls_scores, self.cls_out_channels).detach().float()
        deltas = flatten_levels(bbox_preds, self.bbox_coder.encode_size).detach().float()
        results = []
        for scores, boxes, meta in zip(logits, deltas, batch_img_metas, strict=True):
            limit = cfg.get('nms_pre', 5000)
            count = scores.numel() if limit == -1 else min(limit, scores.numel())
            best, index = scores.flatten().topk(count)
            best = best.sigmoid()
            index = index[best > cfg.get('score_thr', 0.0)]
            anchor = index // self.cls_out_channels
            found = InstanceData(
                bboxes=self.bbox_coder.decode(
                    priors[anchor], boxes[anchor], max_shape=meta['img_shape']
                ),
                scores=best[: len(index)],
                labels=index % self.cls_out_channels,
            )
            results.append(self._bbox_post_process(found, cfg, rescale, with_nms, meta))
        return results

    def _bbox_post_process(
        self,
        results: InstanceData,
        cfg: Config,
        rescale: bool = False,
        with_nms: bool = True,
        img_meta: dict[str, Any] | None = None,
    ) -> InstanceData:
        """Replace mmdet's soft-NMS by one that takes no longer than hard NMS."""
        nms = dict(cfg['nms']) if with_nms else {}
        if nms.pop('type', None) != 'soft_nms':
            return super()._bbox_post_process(results, cfg, rescale, with_nms, img_meta)
        results = super()._bbox_post_process(results, cfg, rescale, False, img_meta)
        kept, scores = batched_soft_nms(
            results.bboxes, results.scores, results.labels, max_num=cfg['max_per_img'], **nms
        )
        results = results[kept]
        results.scores = scores
        return results


def _initialise(module: nn.Module) -> None:
    """Initialise a convolution as google/automl's heads: normal, variance 1 ÷ fan-in."""
    if not isinstance(module, nn.Conv2d):
        return
    nn.init.normal_(module.weight, std=math.sqrt(1 / module.weight[0].numel()))
    if module.bias is not None:
        nn.init.zeros_(module.bias)
