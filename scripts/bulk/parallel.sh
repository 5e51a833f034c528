#!/usr/bin/env bash
# Translates a file with several processes on this computer, blocks of lines in turn, by GNU parallel.
#
#   scripts/bulk/parallel.sh MODEL INPUT OUTPUT [OPTION of rnnsearch translate]...
#
# A line out for every line in, in order. If a block fails, so does the whole, with the exit code of its process, and OUTPUT does not appear.
# Refused with exit code 2: `--n-best` without JSON, since its numbers would begin anew in each block, `--shard`, and `--output`.
# Environment: JOBS processes (one a core), LINES_PER_BLOCK (5000), RNNSEARCH the program (rnnsearch).
set -euo pipefail

if [ $# -lt 3 ]; then
    echo "usage: $0 MODEL INPUT OUTPUT [OPTION]..." >&2
    exit 2
fi
model=$1 input=$2 output=$3
shift 3
refuse() {
    echo "error: $1" >&2
    exit 2
}
numbered='' json=''
for option in "$@"; do
    case $option in
        --shard | --shard=*) refuse '--shard: the file is cut into blocks already' ;;
        --output | --output=*) refuse '--output: the translations go into OUTPUT' ;;
        --n-best | --n-best=*) numbered=1 ;;
        --json | --jsonl) json=1 ;;
    esac
done
[ -z "$numbered" ] || [ -n "$json" ] || refuse '--n-best: its numbers would begin anew in each block; add --json'

# In a variable, since parallel would replace `{}` and the like in its command.
options=$(printf '%q ' "$model" - "$@")
said=$(mktemp -d)
trap 'tell >&2; rm -f "$output.part"; rm -rf "$said"' EXIT
export options said block=${LINES_PER_BLOCK:-5000} program=${RNNSEARCH:-rnnsearch}

# Messages number the lines of a block: they come at the end, under the line where it begins. parallel would lose what a job says that makes it stop.
tell() {
    local number
    for number in $(ls "$said" | sort -n); do
        [ -s "$said/$number" ] || continue
        echo "block that begins at line $(((number - 1) * block + 1)):"
        cat "$said/$number"
    done
}

# Translates the block of this number.
translate() {
    local number=$1
    eval "set -- $options"
    LC_ALL=C sed 's/^://' | "$program" translate --quiet --threads 1 "$@" 2>"$said/$number"
}
export -f translate

# A colon begins each line on its way through parallel, which does not count a blank line where a block begins.
LC_ALL=C sed 's/^/:/' <"$input" |
    parallel --pipe --keep-order -N "$block" --jobs "${JOBS:-100%}" --halt now,fail=1 translate '{#}' >"$output.part"
mv "$output.part" "$output"
