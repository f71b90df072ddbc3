#!/usr/bin/env bash
# Makes .venv from a lock with hashes. Uses uv from PyPI, or plain pip where uv cannot be had. Quick when nothing changed.
set -euo pipefail
cd "$(dirname "$0")/.."
lock=${1:?usage: scripts/environment.sh LOCKFILE}

say() { printf '%s\n' "$*" >&2; }
python=${PYTHON:-python3}
if ! command -v "$python" >/dev/null 2>&1; then
  say "python3 is missing: apt-get install python3 python3-venv"; exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  say "sluis needs Python 3.11 or newer, this is $("$python" -V): install a newer python3, or set PYTHON=python3.11"; exit 1
fi
if ! "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
  say "the venv module is missing: apt-get install python3-venv"; exit 1
fi

wanted=$(cat "$lock" pyproject.toml | sha256sum | cut -d' ' -f1)
for stamp in ".venv/.sluis-$lock" ".venv/.sluis-requirements-dev.txt"; do
  # A development environment holds all of the run-time one, unless the run-time lock has changed since.
  if [ -f "$stamp" ] && grep -q "$wanted" "$stamp"; then exit 0; fi
done

say "Installing $lock into .venv (first time: about a minute) ..."
[ -x .venv/bin/python ] || "$python" -m venv .venv
# An environment that another tool made may have no pip.
.venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >/dev/null 2>&1
if [ -x .venv/bin/uv ] || .venv/bin/python -m pip install --quiet --disable-pip-version-check uv 2>/dev/null; then
  VIRTUAL_ENV="$PWD/.venv" .venv/bin/uv pip install --quiet --require-hashes -r "$lock"
  VIRTUAL_ENV="$PWD/.venv" .venv/bin/uv pip install --quiet --no-deps -e .
else
  say "uv cannot be had; pip does it, which takes a few minutes."
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
fi
{
  echo "$wanted"
  if [ "$lock" = requirements-dev.txt ]; then cat requirements.txt pyproject.toml | sha256sum | cut -d' ' -f1; fi
} > ".venv/.sluis-$lock"
