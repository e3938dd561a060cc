#!/usr/bin/env bash
# Renders the sample report and takes the pictures of docs/report.md. Needs Chromium and Python.
# Fails if the page is wider than the screen, writes to the console, or asks for anything.
set -euo pipefail
cd "$(dirname "$0")"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cargo run --quiet -p lastuse-render --example page > "$scratch/report.html"
cargo run --quiet -p lastuse-render --example page -- 500 > "$scratch/500.html"
python3 browse.py "$scratch/report.html" report 360x1200 1024x1060 1920x900
python3 browse.py "$scratch/report.html" lanes '360x1500:#s0ti' '1024x1100:#s0ti' '1920x1000:dark:#s0ti'
python3 browse.py "$scratch/500.html" "$scratch/500" 360 1024 1920
