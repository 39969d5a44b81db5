# Sourced by demo.sh, test.sh and environment.sh: creates or reuses .venv and installs the package
# into it.
#
# Usage: source tools/venv.sh EXTRAS     (for example "weights" or "tests")
# PYTHON names the interpreter for a new .venv; by default python3.11, else python3. VENV is another
# folder than .venv, CONSTRAINTS other versions than those of requirements/constraints.txt.

venv=${VENV:-.venv}
constraints=${CONSTRAINTS:-requirements/constraints.txt}

say() { printf '\n\033[1m==> %s\033[0m\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

choose_python() {
  local candidate
  for candidate in ${PYTHON:-python3.11 python3}; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
      echo "$candidate"; return
    fi
  done
  fail "no Python 3.11 to 3.13 among: ${PYTHON:-python3.11 python3} (set PYTHON)"
}

make_venv() {
  if "$venv"/bin/python -m pip --version >/dev/null 2>&1; then return; fi
  local python; python=$(choose_python) || exit 1
  say "creating $venv with $("$python" --version)"
  "$python" -m venv --clear "$venv" || fail "$python -m venv failed (on Debian: apt install python3-venv)"
}

# A checksum of everything that determines the installation; stored last, so that an interrupted
# installation is resumed.
stamp() { cat pyproject.toml setup.py requirements/*.txt "$constraints" | cksum | sed "s/^/$1 /"; }

install_package() {
  local extras=$1 marker="$venv"/effnet_dense-$1.stamp
  if [ "$(stamp "$extras")" = "$(cat "$marker" 2>/dev/null)" ]; then
    say "reusing $venv"; return
  fi
  # mmcv and mmcv-lite own the same folder: an installed mmcv stays.
  if ! "$venv"/bin/python -m pip show --quiet mmcv 2>/dev/null; then extras="$extras,mmcv-lite"; fi
  say "installing effnet_dense[$extras] into $venv (about 3 GB, a few minutes)"
  "$venv"/bin/python -m pip install --quiet --upgrade pip || fail 'pip could not be upgraded'
  if ! "$venv"/bin/python -m pip install --progress-bar off -c "$constraints" \
    -e ".[$extras]" | { grep --line-buffered -E '^(Collecting|Installing|Successfully)' || true; } \
    | cut -c -100; then fail 'pip install failed; run this script again to resume'; fi
  # opencv-python, which mmcv requires, needs a desktop's libraries; the headless build does not.
  if ! "$venv"/bin/python -c 'import cv2' 2>/dev/null; then
    say 'no desktop libraries here: using the headless OpenCV'
    "$venv"/bin/python -m pip install --quiet --force-reinstall --no-deps \
      -c "$constraints" opencv-python-headless || fail 'OpenCV could not be installed'
  fi
  stamp "$1" > "$marker"
}

make_venv
install_package "$1"
