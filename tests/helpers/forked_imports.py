"""Import what tools import when they run, for the process from which they are forked."""

import gc

import effnet_dense  # isort: skip  # noqa: F401 (makes mmcv's operators findable)
import matplotlib.pyplot  # noqa: F401
import mmdet.engine  # noqa: F401
import mmseg.evaluation  # noqa: F401
import torch.distributed.run  # noqa: F401
import torch.utils.cpp_extension  # noqa: F401
from PIL import Image

import effnet_dense.report.page  # noqa: F401
from tests.helpers.config_text import FORMATTER, unformatted

Image.init()
FORMATTER.FormatCode = unformatted
gc.freeze()  # children share what they do not write to
