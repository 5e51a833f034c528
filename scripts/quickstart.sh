#!/usr/bin/env bash
# Trains a small English-French translator, translates a sentence with it and draws what it looked at.
set -euo pipefail
cd "$(dirname "$0")/.."

sentence="The young woman doesn't like the black dog."
rnnsearch() { cargo run --release --quiet --package rnnsearch-cli -- "$@"; }

rnnsearch train configs/quickstart.toml --overwrite
printf '%s\n' "$sentence" | rnnsearch translate runs/quickstart
rnnsearch heatmap runs/quickstart --source "$sentence"
rnnsearch heatmap runs/quickstart --source "$sentence" --output heatmap.svg
echo "The heatmap is in heatmap.svg." >&2
