"""mmcv's operators are imported by these tests through the stand-in."""

from __future__ import annotations

import effnet_dense.compat

effnet_dense.compat.install()
