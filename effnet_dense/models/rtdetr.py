"""RT-DETR (Zhao et al. 2023, arXiv:2304.08069) in mmdet's terms: `HybridEncoder` is its neck.

Queries start as features of the encoder whose scores are highest, and their boxes are refined by
each layer of a decoder with deformable attention. Losses, matching, denoising and decoding are
mmdet's DINO's. The same function as `RTDetrModel` of Hugging Face's transformers; as in the
authors' code, a layer's box also learns through the layer before it.

Shapes: N images, L levels, K positions of an image over all levels, Q queries, D channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.ops import MultiScaleDeformableAttention
from mmdet.models.layers import MLP, inverse_sigmoid
from mmdet.models.layers.transformer import DeformableDetrTransformerDecoder
from mmengine.model import BaseModule, xavier_init
from torch import Tensor, nn

from effnet_dense.models.dino import DINO
from effnet_dense.registry import MODELS


class RTDETRDecoder(DeformableDetrTransformerDecoder):
    """Decoder whose positional queries are a function of the boxes, without a last norm."""

    def _init_layers(self) -> None:
        super()._init_layers()
        self.ref_point_head = MLP(4, 2 * self.embed_dims, self.embed_dims, 2)

    def forward(
        self, query: Tensor, reference_points: Tensor, reg_branches: nn.ModuleList, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Refine boxes layer by layer.

        Args:
            query: (N, Q, D).
            reference_points: Boxes (N, Q, 4): centre, width and height in 0–1.
            reg_branches: Of the head, one for each layer.
            kwargs: Of mmdet's layers: `value` (N, K, D), `self_attn_mask` and the levels' shapes.

        Returns:
            Queries after each layer, (layers, N, Q, D), and boxes before and after each layer,
            (layers + 1, N, Q, 4).
        """
        queries, boxes = [], [reference_points]
        box = reference_points
        for layer, regress in zip(self.layers, reg_branches, strict=False):
            query = layer(
                query,
                query_pos=self.ref_point_head(box),
                reference_points=box[:, :, None].expand(-1, -1, len(kwargs['spatial_shapes']), -1),
                **kwargs,
            )
            refined = (regress(query) + inverse_sigmoid(box)).sigmoid()
            box = refined.detach()
            queries.append(query)
            boxes.append(refined)
        return torch.stack(queries), torch.stack(boxes)


@MODELS.register_module()
class RTDETR(DINO):
    """RT-DETR, a detector whose neck is `HybridEncoder`.

    Args:
        args: Of mmdet's `DINO`.
        kwargs: Of mmdet's `DINO`, without encoder and positional encoding: `backbone`, `neck`,
            `decoder`, `bbox_head` (mmdet's `DINOHead`), `num_queries`, `dn_cfg` and the like.
    """

    decoder: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, with_box_refine=True, as_two_stage=True, **kwargs)

    def _init_layers(self) -> None:
        self.decoder = RTDETRDecoder(**self.decoder)
        self.embed_dims = self.decoder.embed_dims
        self.memory_trans_fc = nn.Linear(self.embed_dims, self.embed_dims)
        self.memory_trans_norm = nn.LayerNorm(self.embed_dims)

    def init_weights(self) -> None:
        """Initialize as mmdet's DINO does, as far as there are the same parts."""
        BaseModule.init_weights(self)
        for parameter in self.decoder.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        for module in self.decoder.modules():
            if isinstance(module, MultiScaleDeformableAttention):
                module.init_weights()
        xavier_init(self.memory_trans_fc, distribution='uniform')

    def pre_transformer(
        self, mlvl_feats: Sequence[Tensor], batch_data_samples: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Flatten the levels (N, D, H_l, W_l) to (N, K, D).

        Raises:
            ValueError: An image does not fill the batch: RT-DETR has no padding.
        """
        _check_filled(batch_data_samples or [])
        shapes = [(feature.shape[2], feature.shape[3]) for feature in mlvl_feats]
        memory = torch.cat([feature.flatten(2).transpose(1, 2) for feature in mlvl_feats], 1)
        starts = [sum(h * w for h, w in shapes[:level]) for level in range(len(shapes))]
        levels = dict(
            memory_mask=None,
            spatial_shapes=torch.tensor(shapes, device=memory.device),
            level_start_index=torch.tensor(starts, device=memory.device),
            valid_ratios=memory.new_ones(memory.shape[0], len(shapes), 2),
        )
        return dict(memory=memory, spatial_shapes=shapes), levels

    def forward_encoder(self, **features: Any) -> dict[str, Any]:
        """Return the features: the neck has encoded them."""
        return features

    def pre_decoder(
        self,
        memory: Tensor,
        spatial_shapes: Sequence[tuple[int, int]],
        batch_data_samples: Any = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Choose the queries; in training, put those of denoising before them.

        Args:
            memory: (N, K, D), the neck's features.
            spatial_shapes: Height and width of each level.
            batch_data_samples: With ground truth, in training.

        Returns:
            What the decoder gets, and what the head's loss gets beside the decoder's outputs.
        """
        features, anchors = self.gen_encoder_output_proposals(memory, None, spatial_shapes)
        last = self.decoder.num_layers
        logits = self.bbox_head.cls_branches[last](features)
        boxes = self.bbox_head.reg_branches[last](features) + anchors
        best = logits.max(-1).values.topk(self.num_queries, 1).indices[..., None]
        logits, boxes, query = (
            values.gather(1, best.expand(-1, -1, values.shape[2]))
            for values in (logits, boxes, features)
        )
        query, box = query.detach(), boxes.detach()
        if not self.training:
            return dict(query=query, memory=memory, reference_points=box.sigmoid()), {}
        noisy, noisy_box, mask, meta = self.dn_query_generator(batch_data_samples)
        decoder = dict(
            query=torch.cat([noisy, query], 1),
            memory=memory,
            reference_points=torch.cat([noisy_box, box], 1).sigmoid(),
            dn_mask=mask,
        )
        head = dict(enc_outputs_class=logits, enc_outputs_coord=boxes.sigmoid(), dn_meta=meta)
        return decoder, head


def _check_filled(samples: Sequence[Any]) -> None:
    """Compare each image's size with the batch's; mmdet's random sizes round down by a pixel."""
    for sample in samples:
        image, batch = sample.metainfo.get('img_shape'), sample.metainfo.get('batch_input_shape')
        if image and batch and max(batch[0] - image[0], batch[1] - image[1]) > 1:
            raise ValueError(
                'expected images that fill the batch (resized with keep_ratio=False, without a '
                f'pad_size_divisor that pads them), got {image[1]} × {image[0]} pixels in a batch '
                f'of {batch[1]} × {batch[0]}: RTDETR does not support padding'
            )
