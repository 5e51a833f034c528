#!/usr/bin/env bash
# Translates a file with several processes on this computer, blocks of lines in turn, by GNU parallel.
#
#   scripts/bulk/parallel.sh MODEL INPUT OUTPUT [OPTION of rnnsearch translate]...
#
# A line out for every line in, in order. If a block fails, so does the whole, with the exit code of its process, and OUTPUT does not appear.
# Environment: JOBS processes (one a core), LINES_PER_BLOCK (5000), RNNSEARCH the program (rnnsearch).
set -euo pipefail

if [ $# -lt 3 ]; then
    echo "usage: $0 MODEL INPUT OUTPUT [OPTION]..." >&2
    exit 2
fi
model=$1 input=$2 output=$3
shift 3
export block=${LINES_PER_BLOCK:-5000} program=${RNNSEARCH:-rnnsearch}

# Messages number the lines of a block: say where it begins. parallel's number of the block comes first.
translate() {
    local number=$1 code=0
    shift
    "$program" translate --quiet --threads 1 "$@" 2>>"$said" || code=$?
    [ "$code" = 0 ] || echo "error: so failed the block that begins at line $(((number - 1) * block + 1))" >>"$said"
    return "$code"
}
export -f translate

# parallel loses what a job says that makes it stop.
said=$(mktemp)
export said
trap 'cat "$said" >&2; rm -f "$output.part" "$said"' EXIT
parallel --pipe --keep-order -N "$block" --jobs "${JOBS:-100%}" --halt now,fail=1 --quote \
    translate '{#}' "$model" - "$@" <"$input" >"$output.part"
mv "$output.part" "$output"
