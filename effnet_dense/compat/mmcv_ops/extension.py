"""The module ``mmcv._ext`` for an mmcv that was installed without its compiled operators.

`finder` runs this file under the name ``mmcv._ext``. mmcv looks up all operators of ``mmcv.ops`` as
attributes at once (``mmcv.utils.ext_loader.load_ext``), so every name must exist.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import torch
import torchvision  # noqa: F401 (registers torch.ops.torchvision)

from effnet_dense.compat.mmcv_ops.active_rotated_filter import (
    active_rotated_filter_backward,
    active_rotated_filter_forward,
)
from effnet_dense.compat.mmcv_ops.attention import ms_deform_attn_backward, ms_deform_attn_forward
from effnet_dense.compat.mmcv_ops.bezier_align import bezier_align_backward, bezier_align_forward
from effnet_dense.compat.mmcv_ops.boxes import bbox_overlaps
from effnet_dense.compat.mmcv_ops.build_info import get_compiler_version, get_compiling_cuda_version
from effnet_dense.compat.mmcv_ops.carafe import (
    carafe_backward,
    carafe_forward,
    carafe_naive_backward,
    carafe_naive_forward,
)
from effnet_dense.compat.mmcv_ops.deform_conv import (
    deform_conv_backward_input,
    deform_conv_backward_parameters,
    deform_conv_forward,
    modulated_deform_conv_backward,
    modulated_deform_conv_forward,
)
from effnet_dense.compat.mmcv_ops.deform_roi_pool import (
    deform_roi_pool_backward,
    deform_roi_pool_forward,
)
from effnet_dense.compat.mmcv_ops.focal_loss import (
    sigmoid_focal_loss_backward,
    sigmoid_focal_loss_forward,
    softmax_focal_loss_backward,
    softmax_focal_loss_forward,
)
from effnet_dense.compat.mmcv_ops.masked_conv import masked_col2im_forward, masked_im2col_forward
from effnet_dense.compat.mmcv_ops.nms import nms, nms_match, softnms
from effnet_dense.compat.mmcv_ops.points_in_boxes import (
    points_in_boxes_all_forward,
    points_in_boxes_cpu_forward,
    points_in_boxes_part_forward,
)
from effnet_dense.compat.mmcv_ops.polygon_overlaps import (
    box_iou_quadri,
    box_iou_rotated,
    nms_quadri,
    nms_rotated,
)
from effnet_dense.compat.mmcv_ops.psa_mask import psamask_backward, psamask_forward
from effnet_dense.compat.mmcv_ops.roi_align import roi_align_backward, roi_align_forward
from effnet_dense.compat.mmcv_ops.roi_align_rotated import (
    roi_align_rotated_backward,
    roi_align_rotated_forward,
)
from effnet_dense.compat.mmcv_ops.roi_pool import roi_pool_backward, roi_pool_forward
from effnet_dense.compat.mmcv_ops.sync_bn import (
    sync_bn_backward_data,
    sync_bn_backward_param,
    sync_bn_forward_mean,
    sync_bn_forward_output,
    sync_bn_forward_var,
)
from effnet_dense.compat.mmcv_ops.text_regions import contour_expand, pixel_group
from effnet_dense.compat.mmcv_ops.voxelize import dynamic_voxelize_forward, hard_voxelize_forward

__all__ = [
    'active_rotated_filter_backward',
    'active_rotated_filter_forward',
    'bbox_overlaps',
    'bezier_align_backward',
    'bezier_align_forward',
    'box_iou_quadri',
    'box_iou_rotated',
    'carafe_backward',
    'carafe_forward',
    'carafe_naive_backward',
    'carafe_naive_forward',
    'contour_expand',
    'deform_conv_backward_input',
    'deform_conv_backward_parameters',
    'deform_conv_forward',
    'deform_roi_pool_backward',
    'deform_roi_pool_forward',
    'dynamic_voxelize_forward',
    'get_compiler_version',
    'get_compiling_cuda_version',
    'hard_voxelize_forward',
    'masked_col2im_forward',
    'masked_im2col_forward',
    'modulated_deform_conv_backward',
    'modulated_deform_conv_forward',
    'ms_deform_attn_backward',
    'ms_deform_attn_forward',
    'nms',
    'nms_match',
    'nms_quadri',
    'nms_rotated',
    'pixel_group',
    'points_in_boxes_all_forward',
    'points_in_boxes_cpu_forward',
    'points_in_boxes_part_forward',
    'psamask_backward',
    'psamask_forward',
    'roi_align_backward',
    'roi_align_forward',
    'roi_align_rotated_backward',
    'roi_align_rotated_forward',
    'roi_pool_backward',
    'roi_pool_forward',
    'sigmoid_focal_loss_backward',
    'sigmoid_focal_loss_forward',
    'softmax_focal_loss_backward',
    'softmax_focal_loss_forward',
    'softnms',
    'sync_bn_backward_data',
    'sync_bn_backward_param',
    'sync_bn_forward_mean',
    'sync_bn_forward_output',
    'sync_bn_forward_var',
]


def __getattr__(name: str) -> Callable[..., NoReturn]:
    """Return a callable that raises NotImplementedError, for operators not implemented here."""
    if name.startswith('_'):
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')

    def missing_operator(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(
            f'mmcv operator {name!r} is not among those that effnet_dense implements in place of '
            'the compiled ones, which this installation of mmcv lacks. It needs full '
            'mmcv (2.0.0rc4 or newer, below 2.2.0 for mmdet 3.3) compiled for '
            f'torch {torch.__version__}, instead of mmcv-lite: '
            'https://mmcv.readthedocs.io/en/latest/get_started/installation.html'
        )

    missing_operator.__name__ = missing_operator.__qualname__ = name
    return missing_operator
