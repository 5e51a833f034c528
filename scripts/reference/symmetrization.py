#!/usr/bin/env python3
"""Writes sets of links and what Moses' heuristics make of them, for the tests of crates/alignment.

The plain loops of the Moses manual, over a grid: a second opinion on the sets and ranges of the Rust code. Neighbours and the
order of words are those of Moses' program `symal`: target words outside, source words inside; the links of target words are
finished first.

    scripts/reference/symmetrization.py > crates/alignment/tests/fixtures/symmetrization.txt
"""

import random

NEIGHBOURS = [(-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)]


def grow_diag(forward, reverse, targets, sources):
    links = [[forward[t][s] and reverse[t][s] for s in range(sources)] for t in range(targets)]
    target_free = lambda t: not any(links[t])
    source_free = lambda s: not any(row[s] for row in links)
    added = True
    while added:
        added = False
        for t in range(targets):
            for s in range(sources):
                if not links[t][s]:
                    continue
                for down, right in NEIGHBOURS:
                    i, j = t + down, s + right
                    if not (0 <= i < targets and 0 <= j < sources):
                        continue
                    if (forward[i][j] or reverse[i][j]) and (target_free(i) or source_free(j)):
                        links[i][j] = True
                        added = True
    return links


def final(links, direction, both):
    for t, row in enumerate(direction):
        for s, linked in enumerate(row):
            free = [not any(links[t]), not any(other[s] for other in links)]
            if linked and (all(free) if both else any(free)):
                links[t][s] = True
    return links


def text(links):
    places = [(s, t) for t, row in enumerate(links) for s, linked in enumerate(row) if linked]
    return " ".join(f"{s}-{t}" for s, t in sorted(places))


def main():
    random.seed(1)
    for case in range(120):
        targets, sources = random.randint(1, 9), random.randint(1, 9)
        density = random.choice([0.1, 0.2, 0.4])
        draw = lambda: [[random.random() < density for _ in range(sources)] for _ in range(targets)]
        shared = draw() if case % 2 else [[False] * sources for _ in range(targets)]
        forward, reverse = (
            [[a or b for a, b in zip(*rows)] for rows in zip(shared, draw())] for _ in range(2)
        )
        grown = lambda: grow_diag(forward, reverse, targets, sources)
        finished = [final(final(grown(), forward, both), reverse, both) for both in (False, True)]
        print(" | ".join(text(links) for links in [forward, reverse, grown(), *finished]))


if __name__ == "__main__":
    main()
