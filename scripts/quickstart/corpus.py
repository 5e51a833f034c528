"""Which sentence goes to train, dev or test, and the files.

Some combinations of words are held out by a hash: an adjective with a noun, a verb with an object. A sentence with a combination that
is held out for a set goes to this set or nowhere, so that train never has it. Half of dev and of test consist of such sentences; the
other half are sentences whose combinations train may have, but which are not in train themselves.
"""

import hashlib
from collections import Counter
from typing import NamedTuple

from .draw import Draw
from .sentences import sentence

SEED = 1409
SIZES = {"train": 20_000, "dev": 500, "test": 1_000}
LONGEST, SHORTEST = 40, 3
RARE = 5  # words seen fewer times in train are in no other set
_HELD_OUT_PERCENT = {"dev": 3, "test": 5}
_USES = 10  # of one held-out combination in a set, at most
_OTHERWISE_PERCENT = {"dev": 3, "test": 6}  # of the sentences without held-out combinations


class Corpus(NamedTuple):
    sets: dict  # name -> list of sentences
    unseen: dict  # name -> how many of them have a held-out combination


def build(seed=SEED, sizes=None, rare=RARE):
    """The whole corpus, a function of the arguments."""
    sizes = sizes or SIZES
    pools = _pools(Draw(seed), sizes)
    train = _common(pools["train"], rare)[: sizes["train"]]
    common = {w for w, count in word_counts(train).items() if count >= rare}
    taken = {side for s in train for side in sides(s)}
    sets, unseen = {"train": train}, {}
    for name in ("test", "dev"):
        held = _take(pools[name, True], sizes[name] // 2, common, taken)
        rest = _take(pools[name, False], sizes[name] - len(held), common, taken)
        sets[name], unseen[name] = _interleaved(held + rest), len(held)
    for name, size in sizes.items():
        if len(sets[name]) < size:
            raise ValueError(f"{name} has {len(sets[name])} pairs instead of {size}: too few sentences were drawn")
    return Corpus({name: sets[name] for name in sizes}, unseen)


def _pools(draw, sizes):
    """Distinct sentences, sorted into those for train and, for each other set, those with held-out combinations and those without."""
    pools = {"train": [], **{(name, held): [] for name in ("dev", "test") for held in (True, False)}}
    french_of = {}
    while len(pools["train"]) < 1.15 * sizes["train"]:
        s = sentence(draw)
        if s.english in french_of or not all(
            SHORTEST <= len(side) <= LONGEST for side in (s.english_words, s.french_words)
        ):
            continue
        french_of[s.english] = s.french
        pool = _pool_of(s)
        if pool:
            pools[pool].append(s)
    return pools


def _pool_of(s):
    held = {_held_out_for(combination) for combination in s.combinations} - {None}
    if len(held) > 1:
        return None
    if held:
        return held.pop(), True
    name = _bucket(s.english, _OTHERWISE_PERCENT)
    return (name, False) if name else "train"


def _held_out_for(combination):
    return _bucket(" ".join(combination), _HELD_OUT_PERCENT)


def _bucket(text, percents):
    value = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % 100
    for name, percent in percents.items():
        value -= percent
        if value < 0:
            return name
    return None


def _common(sentences, rare):
    """Without the sentences that have a rare word; repeated, since each sentence that goes takes its words along."""
    while True:
        common = {w for w, count in word_counts(sentences).items() if count >= rare}
        kept = [s for s in sentences if common.issuperset(words(s))]
        if len(kept) == len(sentences):
            return kept
        sentences = kept


def word_counts(sentences):
    """How often each word of each language occurs."""
    return Counter((side, text) for s in sentences for side, text in words(s))


def words(s):
    yield from (("en", text) for text in s.english_words)
    yield from (("fr", text) for text in s.french_words)


def sides(s):
    """Both sides, blind to capitals and punctuation."""
    yield "en", bare(s.english)
    yield "fr", bare(s.french)


def bare(line):
    return " ".join(line.lower().translate(str.maketrans("", "", ",.?!")).split())


def _take(pool, size, common, taken):
    """The first sentences whose words are all common, neither side of which was taken before, and that bring variety."""
    chosen, uses = [], Counter()
    for s in pool:
        if len(chosen) == size:
            break
        held = [combination for combination in s.combinations if _held_out_for(combination)]
        varied = all(uses[combination] < _USES for combination in held)
        if varied and common.issuperset(words(s)) and not taken.intersection(sides(s)):
            taken.update(sides(s))
            uses.update(held)
            chosen.append(s)
    return chosen


def _interleaved(sentences):
    """In an order that depends on the text alone."""
    return sorted(sentences, key=lambda s: hashlib.sha256(s.english.encode()).digest())


def talp(links):
    """Links as "1-1 2p3", 1-based, English first; p marks the possible ones."""
    return " ".join(f"{i + 1}{'-' if sure else 'p'}{j + 1}" for i, j, sure in links)


def files(corpus):
    """The text of every file, by name."""
    found = {}
    for name, sentences in corpus.sets.items():
        found[f"{name}.en"] = _lines(s.english for s in sentences)
        found[f"{name}.fr"] = _lines(s.french for s in sentences)
        found[f"{name}.talp"] = _lines(talp(s.links) for s in sentences)
        if name != "train":
            found[f"{name}.tok.en"] = _lines(" ".join(s.english_words) for s in sentences)
            found[f"{name}.tok.fr"] = _lines(" ".join(s.french_words) for s in sentences)
    return found


def _lines(lines):
    return "".join(line + "\n" for line in lines)


def statistics(corpus):
    """What the README of the corpus tells, as Markdown."""
    train = word_counts(corpus.sets["train"])
    rows = ["| set | pairs | words English | words French | with an unseen combination |", "|---|---:|---:|---:|---:|"]
    for name, sentences in corpus.sets.items():
        sides = [
            sum(len(words) for words in side)
            for side in zip(*((s.english_words, s.french_words) for s in sentences), strict=True)
        ]
        rows.append(f"| {name} | {len(sentences)} | {sides[0]} | {sides[1]} | {corpus.unseen.get(name, 0)} |")
    forms = {side: [n for (language, _), n in train.items() if language == side] for side in ("en", "fr")}
    rows += ["", "| words of train | English | French |", "|---|---:|---:|"]
    rows.append(f"| different | {len(forms['en'])} | {len(forms['fr'])} |")
    rows.append(
        f"| seen fewer than 10 times | {sum(n < 10 for n in forms['en'])} | {sum(n < 10 for n in forms['fr'])} |"
    )
    rows += ["", "| English words (punctuation included) | train | dev | test |", "|---|---:|---:|---:|"]
    for low in range(0, LONGEST, 5):
        counts = [sum(low < len(s.english_words) <= low + 5 for s in sentences) for sentences in corpus.sets.values()]
        rows.append(f"| {max(low + 1, SHORTEST)}-{low + 5} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(rows)
