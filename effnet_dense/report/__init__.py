"""A page about a run: how it trained, what its last evaluation found, and where it failed.

`ReportHook` collects data while a model is evaluated and writes them, charts and `index.html` into
the work folder's report/; `write_page` writes the page again from that folder, without a model, and
`write_comparison` one page about several runs.
"""

from effnet_dense.report.comparison import write_comparison
from effnet_dense.report.hook import ReportHook
from effnet_dense.report.page import write_page

__all__ = ['ReportHook', 'write_comparison', 'write_page']
