"""The part of COCO's panopticapi that mmdet uses; the original is on no package index.

mmdet's `LoadPanopticAnnotations` and `CocoPanopticMetric` require the names below.
`effnet_dense.compat.install` makes this folder importable as the top-level package
``panopticapi``; an installed one takes precedence.

==============  =====================================
`evaluation`    OFFSET, VOID, PQStat, PQStatCat
`utils`         rgb2id, id2rgb
==============  =====================================

Other names raise ImportError, as without this folder;
``pip install git+https://github.com/cocodataset/panopticapi.git`` installs them all.
"""
