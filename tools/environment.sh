#!/usr/bin/env bash
# Make an environment of other versions and run the fast tests in it, or what else follows its name.
#
# Usage: bash tools/environment.sh NAME [ARGUMENTS OF PYTEST]
#   torch2.6     the lowest versions that the package takes (requirements/lowest.txt), Python 3.11
#   torch2.11    Python 3.11
#   python3.12   the versions of requirements/constraints.txt
#   python3.13
#   onedl        OneDL's continuations instead of OpenMMLab's packages (requirements/onedl.txt)
#   litert       what exports to LiteRT (requirements/litert-export.txt); runs that format's tests
#   executorch   ExecuTorch and coremltools (requirements/executorch.txt); runs their formats' tests
# The environment is .environments/NAME, about 7 GB, and is kept. PYTHON names its interpreter.
# SHARED names a site-packages folder of the same Python, whose packages are used, not installed.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 2; }

name=${1:-}
python=python3.11 pins='' CONSTRAINTS=requirements/constraints.txt extras=tests tests=()
case $name in
  torch2.6) CONSTRAINTS=requirements/lowest.txt ;;
  torch2.11) pins='torch==2.11.0 torchvision==0.26.0' ;;
  python3.12 | python3.13) python=$name ;;
  onedl) ;;
  litert) tests=(tests/*/test_litert_*.py) ;;
  executorch)
    extras=tests,executorch,coreml
    tests=(tests/*/test_{executorch,coreml,torch}_*.py tests/exporting/test_program.py) ;;
  *) usage ;;
esac
shift
PYTHON=${PYTHON:-$python} VENV=.environments/$name

if [ ! -x "$VENV/bin/python" ]; then
  "$PYTHON" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '${python#python}')" \
    || { echo "error: $name needs $python, got $PYTHON (set PYTHON)" >&2; exit 1; }
  "$PYTHON" -m venv "$VENV"
  if [ -n "${SHARED:-}" ]; then echo "$SHARED" > "$(echo "$VENV"/lib/python3*/site-packages)/shared.pth"; fi
fi
if [ -n "$pins" ]; then
  { grep -vE '^torch(vision)?==' "$CONSTRAINTS"; printf '%s\n' $pins; } > "$VENV/constraints.txt"
  CONSTRAINTS=$VENV/constraints.txt
fi
source tools/venv.sh "$extras"
source "$VENV/bin/activate"

# Installed after the package, whose requirements would bring OpenMMLab's own back. Without torch in
# the isolated build, onedl-mmcv is built without its operators, as mmcv-lite is.
if [ "$name" = onedl ] && ! python -m pip show --quiet onedl-mmsegmentation 2>/dev/null; then
  python -m pip uninstall --quiet --yes mmdet mmsegmentation mmengine mmcv-lite
  python -m pip install --quiet --no-deps -r requirements/onedl.txt
  python -m pip install --quiet -c "$CONSTRAINTS" imaug  # onedl-mmdetection imports it
fi

# Installed last, because it takes older versions of what others bring.
if [ "$name" = litert ]; then
  python -m pip install --quiet -c "$CONSTRAINTS" -r requirements/litert-export.txt
fi

say "$(python --version)"
python -m pip list 2>/dev/null | grep -E '^(torch|torchvision|(onedl-)?mm[a-z-]+|numpy) ' || true
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive
if [ $# -eq 0 ]; then set -- "${tests[@]}"; fi
if [ $# -gt 0 ]; then python -m pytest "$@"; else python -m pytest -n logical --dist loadfile -m 'not slow'; fi
