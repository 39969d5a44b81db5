"""What mmdet uses of COCO's panopticapi, which is on no package index.

mmdet's `LoadPanopticAnnotations` and `CocoPanopticMetric` import the names below and refuse to
work without them. `effnet_dense.compat.install` serves this folder as the top-level package
``panopticapi`` where there is none; one that is installed always wins.

==============  =====================================
`evaluation`    OFFSET, VOID, PQStat, PQStatCat
`utils`         rgb2id, id2rgb
==============  =====================================

Any other name is an ImportError, as it would be without this folder:
``pip install git+https://github.com/cocodataset/panopticapi.git`` has them all.
"""
