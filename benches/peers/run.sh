#!/bin/sh
# Compares lastuse with DuckDB, ClickHouse and Polars on the same files.
# Needs python3 with venv, and a release build; `run.sh --help` lists the options.
set -eu

here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
venv="$here/.venv"

# The pinned peers are installed once, and again only when the pins change.
if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$venv/installed.txt"
fi

exec "$venv/bin/python" "$here/peers.py" "$@"
