"""Implement mmcv's compiled operators with torch and torchvision.

mmcv-lite has all of ``mmcv/ops/*.py`` but not the extension module ``mmcv._ext`` that they call,
and full mmcv does not build with current PyTorch. `effnet_dense.compat.install` makes ``mmcv._ext``
importable, so that mmdet and mmseg import, train, predict and evaluate, on CPU and CUDA tensors. An
installed ``mmcv._ext`` takes precedence.

Implemented, with the signatures of mmcv 2.1.0, which write outputs in place:

=======================  ========================================================================
`boxes`, `nms`           bbox_overlaps, nms (and batched_nms on it), softnms, nms_match
`polygon_overlaps`       IoU and NMS of rotated boxes and quadrilaterals, by `polygons`
`roi_align`              RoIAlign, average and maximum
`roi_align_rotated`      RoIAlignRotated
`bezier_align`           BezierAlign
`roi_pool`               RoIPool
`deform_roi_pool`        DeformRoIPool
`deform_conv`            DeformConv2d (v1), ModulatedDeformConv2d (v2)
`attention`              MultiScaleDeformableAttention
`focal_loss`             sigmoid and softmax focal loss
`sync_bn`                mmcv's SyncBatchNorm
`masked_conv`            MaskedConv2d
`carafe`, `psa_mask`     CARAFE, PSAMask
`active_rotated_filter`  ActiveRotatedFilter
`text_regions`           contour_expand (PSENet), pixel_group (PAN)
`points_in_boxes`        points in 3-D boxes
`voxelize`               hard and dynamic voxelisation
`build_info`             get_compiler_version, get_compiling_cuda_version
=======================  ========================================================================

Other operators raise NotImplementedError when called, which names the operator and what to
install. Importing this package costs nothing: torch is imported with ``mmcv._ext``.
"""
