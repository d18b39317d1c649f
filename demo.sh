#!/usr/bin/env bash
# Set up Guild in .venv-demo below this directory, stage three trainings of a digits classifier, run them by a
# queue, and compare them. All runs are kept in .venv-demo/home; your own Guild home is not touched.
# PYTHON=python3.12 ./demo.sh chooses the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
PYTHON=${PYTHON:-python3}

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
    echo "demo.sh: Python 3.10 or newer is needed; name one: PYTHON=python3.12 ./demo.sh" >&2
    exit 1
}
venv=$PWD/.venv-demo
if [ ! -x "$venv/bin/pip" ]; then
    echo "== Making a virtual environment in $venv"
    "$PYTHON" -m venv "$venv"
fi
echo "== Installing Guild and what the example needs (scikit-learn)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check '.[examples]'

unset VIRTUAL_ENV CONDA_PREFIX PYTHONPATH
export GUILD_HOME=$venv/home
rm -rf "$GUILD_HOME"
mkdir -p "$GUILD_HOME"
cd examples/digits

show() {
    printf '\n$'
    printf ' %s' "$@"
    printf '\n'
    PATH=$venv/bin:$PATH "$@"
}
echo "== Staging three runs in $PWD; GUILD_HOME is $GUILD_HOME"
show guild run train learning-rate=0.001 --stage -y
show guild run train learning-rate=0.01 hidden-units=64 --stage -y
show guild run train learning-rate=0.1 epochs=5 --stage -y
show guild runs
printf '\n== A queue runs what is staged, then ends\n'
show guild run queue run-once=yes -y
printf '\n== The runs with their accuracies\n'
show guild compare --table
