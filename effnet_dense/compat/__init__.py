"""What changes about other packages when this one is imported.

Substitutes for modules that mmdet and mmseg import and an installation may lack: `mmcv_ops`
replaces mmcv's compiled operators, `panopticapi` COCO's package of that name; `finder` makes them
importable where the originals are not installed.

By `after_import`, as soon as the module concerned is imported: safe defaults (`safe_defaults`),
crops that keep images without objects (`empty_images`), shipped configs that are inherited by name
(`package_configs`), OpenMMLab's inference functions and analysis tools for this package's
configs (`inference_apis`, `loading_steps`, `mmseg_tools`), their layer-wise decay for its backbone
(`layer_decay`), mmengine's error for a type that is not found (`type_hints`), and the engine of
mmdet's CocoMetric (`coco_engine`).
"""

from effnet_dense.compat.after_import import AfterImportFinder, after_import
from effnet_dense.compat.coco_engine import serve_coco_engine
from effnet_dense.compat.empty_images import keep_empty_images
from effnet_dense.compat.finder import SubstituteFinder, install
from effnet_dense.compat.inference_apis import serve_inference_apis
from effnet_dense.compat.layer_decay import serve_layer_decay
from effnet_dense.compat.loading_steps import serve_loading_steps
from effnet_dense.compat.mmcv_version import warn_about_mmcv
from effnet_dense.compat.mmseg_tools import serve_mmseg_tools
from effnet_dense.compat.package_configs import inherit_shipped_configs
from effnet_dense.compat.safe_defaults import install_safe_defaults
from effnet_dense.compat.type_hints import serve_type_hints

__all__ = [
    'AfterImportFinder',
    'SubstituteFinder',
    'after_import',
    'inherit_shipped_configs',
    'install',
    'install_safe_defaults',
    'keep_empty_images',
    'serve_coco_engine',
    'serve_inference_apis',
    'serve_layer_decay',
    'serve_loading_steps',
    'serve_mmseg_tools',
    'serve_type_hints',
    'warn_about_mmcv',
]
