"""A stand-in for mmcv's compiled operators, on torch and torchvision.

mmcv-lite has all of ``mmcv/ops/*.py`` but not the extension module ``mmcv._ext`` behind it, and
full mmcv does not build against current PyTorch. `effnet_dense.compat.install` makes ``mmcv._ext``
importable, so that mmdet and mmseg import, train, predict and evaluate, on CPU and CUDA tensors. A
real ``mmcv._ext`` always wins.

Covered, each with mmcv 2.1.0's calling convention, outputs written in place:

=====================  ==========================================================================
`boxes`, `nms`         bbox_overlaps, nms (and batched_nms on it), softnms, nms_match
`roi_align`            RoIAlign, average and maximum
`roi_pool`             RoIPool
`deform_roi_pool`      DeformRoIPool
`deform_conv`          DeformConv2d (v1), ModulatedDeformConv2d (v2)
`attention`            MultiScaleDeformableAttention
`focal_loss`           sigmoid and softmax focal loss
`sync_bn`              mmcv's SyncBatchNorm
`masked_conv`          MaskedConv2d
`carafe`, `psa_mask`   CARAFE, PSAMask
`build_info`           get_compiler_version, get_compiling_cuda_version
=====================  ==========================================================================

Any other operator raises NotImplementedError when it is called, not before, and names itself and
what to install. Importing this package costs nothing: torch is imported with ``mmcv._ext``.
"""
