"""Kinds of sentences: their register, and how a pair of words becomes a finished sentence."""

from typing import NamedTuple

from . import adjuncts
from .clauses import Clause, VerbPhrase
from .lexicon import VERBS
from .words import Pair, capitalised, clear, english_sandhi, fixed, french_sandhi, links, spaced


class Sentence(NamedTuple):
    """A finished sentence: its lines, its words and their links, and which combinations of words it uses."""

    kind: str
    english: str
    french: str
    english_words: tuple
    french_words: tuple
    links: tuple
    combinations: frozenset
    alone: frozenset  # ("en", position) of the words that have no counterpart


KINDS = {}


def kind(weight, mark="."):
    """Registers a function from a `Draw` to a pair of words as a kind of sentence, with its weight and end mark."""

    def register(make):
        KINDS[make.__name__] = (weight, mark, make)
        return make

    return register


def sentence(draw):
    """One sentence of some kind, whose pronouns are clear."""
    while True:
        draw.combinations = set()
        name = draw.weighted({k: weight for k, (weight, _, _) in KINDS.items()})
        _, mark, make = KINDS[name]
        pair = make(draw)
        if clear(pair.english):
            return finished(pair, mark, name, draw.combinations)


def finished(pair, mark=".", name="", combinations=()):
    """A pair of words with its end mark, spelled out."""
    pair = pair + fixed(mark, mark)
    pair = Pair(capitalised(english_sandhi(pair.english)), capitalised(french_sandhi(pair.french)))
    english, french = (tuple(w.text for w in side) for side in pair)
    lone = frozenset(
        (language, i) for language, side in zip(("en", "fr"), pair, strict=True) for i, w in enumerate(side) if w.alone
    )
    return Sentence(
        name,
        spaced(english, False),
        spaced(french, True),
        english,
        french,
        tuple(links(pair)),
        frozenset(combinations),
        lone,
    )


# ---- what the kinds share


def comma():
    return fixed(",", ",")


def opened(draw, pair, probability):
    """Perhaps with "For example, ..." before it."""
    return fixed(*draw.pick(adjuncts.OPENERS)) + comma() + pair if draw.chance(probability) else pair


def said(subject, phrase, tense="present", negation=None):
    return Clause(subject, phrase, tense, negation).pair()


def being(subject, predicate, tense="present", negation=None):
    """A clause of "be"."""
    return Clause(subject, VerbPhrase(VERBS["be"], predicate=predicate), tense, negation).pair()


def verbs(*names):
    return tuple(VERBS[name] for name in names)
