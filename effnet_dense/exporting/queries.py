"""RT-DETR as traced modules: images → logits and boxes of its queries, and their decoding.

Shapes: N images, Q queries, C classes, D channels, K positions over L levels, M results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.ops import MultiScaleDeformableAttention
from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from torch import Tensor, nn

from effnet_dense.exporting.attention import folded_for_export
from effnet_dense.exporting.decoding import take
from effnet_dense.models import RTDETR


class QueryNetwork(nn.Module):
    """An RT-DETR up to its last layer's predictions.

    Args:
        detector: A folded copy of it is used.
    """

    def __init__(self, detector: RTDETR) -> None:
        super().__init__()
        self.detector: Any = folded_for_export(detector)
        for layer in self.detector.decoder.layers:
            layer.cross_attn = LevelAttention(layer.cross_attn)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, H, W) → logits (N, Q, C), and boxes (N, Q, 4): centre, width, height in 0–1."""
        model = self.detector
        given, _ = model.pre_transformer(model.extract_feat(images))
        queries, _ = model.pre_decoder(**given)
        states, boxes = model.decoder(
            query=queries['query'],
            value=queries['memory'],
            reference_points=queries['reference_points'],
            spatial_shapes=given['spatial_shapes'],
            key_padding_mask=None,
            self_attn_mask=None,
            reg_branches=model.bbox_head.reg_branches,
        )
        return model.bbox_head.cls_branches[model.decoder.num_layers - 1](states[-1]), boxes[-1]


class LevelAttention(nn.Module):
    """Deformable attention whose levels have sizes that are numbers, not values of a tensor.

    mmcv's splits the positions by a tensor's values, which a traced graph does not have.

    Args:
        attention: With batches first, and boxes as reference points.
    """

    def __init__(self, attention: MultiScaleDeformableAttention) -> None:
        super().__init__()
        self.attention = attention

    def forward(
        self,
        query: Tensor,
        value: Tensor,
        query_pos: Tensor,
        reference_points: Tensor,
        spatial_shapes: Sequence[tuple[int, int]],
        **unused: Any,
    ) -> Tensor:
        """Add what each query finds to it.

        Args:
            query: (N, Q, D).
            value: (N, K, D).
            query_pos: (N, Q, D).
            reference_points: (N, Q, L, 4).
            spatial_shapes: Height and width of each level.
            unused: Of mmcv's.

        Returns:
            (N, Q, D).
        """
        own = self.attention
        heads, levels, points = own.num_heads, own.num_levels, own.num_points
        asked = query + query_pos
        offsets = own.sampling_offsets(asked).unflatten(-1, (heads, levels, points, 2))
        weights = own.attention_weights(asked).unflatten(-1, (heads, -1)).softmax(-1)
        boxes = reference_points[:, :, None, :, None]
        places = boxes[..., :2] + offsets / points * boxes[..., 2:] * 0.5
        found = multi_scale_deformable_attn_pytorch(
            own.value_proj(value).unflatten(-1, (heads, -1)),
            spatial_shapes,
            places,
            weights.unflatten(-1, (levels, points)),
        )
        result: Tensor = own.output_proj(found) + query
        return result


class QueryDecoder(nn.Module):
    """The best boxes of all queries and classes, as mmdet's `DETRHead` decodes them.

    Args:
        head: With `test_cfg.max_per_img`.
        queries: Q.
    """

    def __init__(self, head: Any, queries: int) -> None:
        super().__init__()
        self.classes = int(head.cls_out_channels)
        self.most = min(int(head.test_cfg.get('max_per_img', queries)), queries * self.classes)

    def forward(self, logits: Tensor, boxes: Tensor, sizes: Tensor) -> tuple[Tensor, ...]:
        """Decode.

        Args:
            logits: (N, Q, C).
            boxes: (N, Q, 4), centre, width and height in 0–1.
            sizes: (N, 2), height and width of the images in pixels.

        Returns:
            Boxes (N, M, 4) in pixels, scores (N, M), descending, and labels (N, M).
        """
        scores, index = logits.sigmoid().flatten(1).topk(self.most)
        best = bbox_cxcywh_to_xyxy(take(boxes, index // self.classes))
        scale = torch.cat([sizes, sizes], 1).flip(1)[:, None]
        pixels = (best * scale).clamp(min=0)
        return torch.minimum(pixels, scale), scores, index % self.classes
