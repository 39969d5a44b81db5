"""Build the `.mim` folder, in which `mim` looks for configs and tools; see pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
MIM_PARTS = ('configs', 'tools', 'model-index.yml')
CHECKOUT_ONLY = shutil.ignore_patterns(
    '__pycache__', 'demo.sh', 'environment.sh', 'test.sh', 'venv.sh'
)


class BuildWithMim(build_py):
    """Puts configs, tools and the model index into a wheel's `effnet_dense/.mim`."""

    def run(self) -> None:
        super().run()
        if getattr(self, 'editable_mode', False):
            return  # the package finds the checkout's own
        mim = Path(self.build_lib, 'effnet_dense', '.mim')
        shutil.rmtree(mim, ignore_errors=True)
        mim.mkdir(parents=True)
        for part in MIM_PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, mim / part, ignore=CHECKOUT_ONLY)
            else:
                shutil.copy(ROOT / part, mim / part)


setup(cmdclass={'build_py': BuildWithMim})
