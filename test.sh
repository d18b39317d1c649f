#!/usr/bin/env bash
# Set up all that the tests need, in .venv-test below this directory, and run them: lint, format, types, tests.
# PYTHON=python3.12 ./test.sh chooses the interpreter; arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
PYTHON=${PYTHON:-python3}

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
    echo "test.sh: Python 3.10 or newer is needed; name one: PYTHON=python3.12 ./test.sh" >&2
    exit 1
}
version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
venv=.venv-test/$version
if [ ! -x "$venv/bin/pip" ]; then
    echo "== Making a virtual environment in $venv (Python $version)"
    "$PYTHON" -m venv "$venv"
fi
echo "== Installing Guild and its development tools"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e '.[dev]'

failed=()
step() {
    local name=$1
    shift
    echo "== $name"
    "$@" || failed+=("$name")
}
bin=$PWD/$venv/bin
step "ruff check" "$bin/ruff" check --extend-exclude '.venv*' .
step "ruff format --check" "$bin/ruff" format --check --extend-exclude '.venv*' .
step "mypy --strict" "$bin/mypy"
step "pytest" "$bin/python" -m pytest -q "$@"

if [ ${#failed[@]} -gt 0 ]; then
    printf '== FAILED: %s\n' "${failed[@]}"
    exit 1
fi
echo "== All passed: ruff check, ruff format, mypy, pytest"
