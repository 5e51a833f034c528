"""Words that carry the meanings they express.

Both languages are written down from one meaning. Every word is given *keys*, one for each piece of meaning that it expresses; two
words that share a key are translations of each other. A key is *sure* for a word that expresses it by itself, and only *possible* for
a word that is there because grammar asks for it (the "do" of a question, the article French wants and English does not):

    sure link       both words have the key as sure
    possible link   they share a key otherwise

Links are therefore never stated by position and survive every reordering.
"""

import re
from dataclasses import dataclass, replace
from typing import NamedTuple


@dataclass(frozen=True)
class Word:
    """A word and the keys of what it means."""

    text: str
    sure: frozenset = frozenset()
    possible: frozenset = frozenset()
    article: bool = False  # a French le, la, les that merges with à and de
    alone: bool = False  # has no counterpart, and that is right
    referent: "Referent | None" = None


class Referent(NamedTuple):
    """What an English noun or pronoun is about; enough to see whether a pronoun could be taken for a feminine one."""

    many: bool
    thing: bool
    feminine: bool
    unbound: bool = False  # a pronoun that takes up nothing: masculine in French


class Pair(NamedTuple):
    """The same thing in both languages: two tuples of words."""

    english: tuple
    french: tuple

    def __add__(self, other):
        return Pair(self.english + other.english, self.french + other.french)


EMPTY = Pair((), ())


class Key:
    """One piece of meaning; only its identity counts."""


def word(text, *keys, possible=(), article=False):
    return Word(text, frozenset(keys), frozenset(possible), article)


def alone(text):
    """A word that has no counterpart."""
    return Word(text, alone=True)


def merge(text, *parts):
    """One word that stands for several, as "du" for "de le"."""
    sure = frozenset().union(*(part.sure for part in parts))
    possible = frozenset().union(*(part.possible for part in parts)) - sure
    return Word(text, sure, possible)


def fixed(english, french, links=None):
    """A pair of fixed phrases. `links` are "1-1 2p1", English first; without them every word is linked with every word."""
    left, right = english.split(), french.split()
    if links is None:
        key = Key()
        return Pair(tuple(word(w, key) for w in left), tuple(word(w, key) for w in right))
    sides = [[[w, set(), set()] for w in left], [[w, set(), set()] for w in right]]
    for i, kind, j in re.findall(r"(\d+)([-p])(\d+)", links):
        key = Key()
        for side, position in zip(sides, (i, j), strict=True):
            side[int(position) - 1][1 if kind == "-" else 2].add(key)
    return Pair(*(tuple(_fixed_word(*entry) for entry in side) for side in sides))


def _fixed_word(text, sure, possible):
    return Word(text, frozenset(sure), frozenset(possible), alone=not (sure or possible))


def links(pair):
    """All links of a pair as (i, j, sure), 0-based, English first, in order."""
    found = []
    for i, e in enumerate(pair.english):
        for j, f in enumerate(pair.french):
            if e.sure & f.sure:
                found.append((i, j, True))
            elif (e.sure | e.possible) & (f.sure | f.possible):
                found.append((i, j, False))
    return found


# ---- how words change beside each other

_ELIDED = {
    "le": "l'", "la": "l'", "je": "j'", "me": "m'", "te": "t'", "se": "s'", "ne": "n'", "de": "d'", "que": "qu'", "ce": "c'",
    "jusque": "jusqu'",
}  # fmt: skip
_ASPIRATED = ("haricot", "haut", "héros", "hibou", "homard", "huit")
_CONTRACTED = {("de", "le"): "du", ("de", "les"): "des", ("à", "le"): "au", ("à", "les"): "aux"}


def starts_with_vowel(french):
    """Whether a French word makes the one before it elide: a vowel or a mute h, but not "onze", "huit" or digits."""
    lower = french.lower()
    if lower.startswith("h"):
        return not lower.startswith(_ASPIRATED)
    return lower[0] in "aâàeéèêiîïoôœuyù" and lower not in ("onze", "oui")


def contract(words):
    """ "de le" becomes "du", "à les" becomes "aux"; only before articles, never before the pronouns le and les."""
    result = []
    for w in words:
        text = _CONTRACTED.get((result[-1].text, w.text)) if result and w.article else None
        if text:
            result[-1] = merge(text, result[-1], w)
        else:
            result.append(w)
    return result


def french_sandhi(words):
    """Elision (le ami: l'ami), then contraction (de le livre: du livre)."""
    elided = []
    for position, w in enumerate(words):
        following = words[position + 1].text if position + 1 < len(words) else "."
        if w.text in _ELIDED and _meets_vowel(w.text, following):
            w = replace(w, text=_ELIDED[w.text])
        elif w.text == "si" and following in ("il", "ils"):
            w = replace(w, text="s'")
        elided.append(w)
    return tuple(contract(elided))


def _meets_vowel(text, following):
    if text == "ce":  # as a determiner it is "cet" there already; "ce est" and "ce était" are left
        return following.startswith(("e", "é"))
    return starts_with_vowel(following)


def english_sandhi(words):
    """ "a" becomes "an" before a vowel."""
    result = []
    for position, w in enumerate(words):
        following = words[position + 1].text if position + 1 < len(words) else "."
        if w.text == "a" and following[0].lower() in "aeiou" and not following.lower().startswith(("eu", "uni", "one")):
            w = replace(w, text="an")
        result.append(w)
    return tuple(result)


# ---- between words and lines of text

_ELISION = re.compile(r"^((?:[cdjlmnst]|(?:jus|lors|puis)?qu)')(.+)$", re.IGNORECASE)


def spaced(words, french):
    """Words as a line of text: no space before , and . nor after an apostrophe; French has one before ? and !"""
    line = ""
    for text in words:
        tight = text in ",." or (text in "?!" and not french) or (french and line.endswith("'"))
        line += text if tight or not line else " " + text
    return line


def tokens(line, french):
    """The words of a line: split at spaces, then , . ? ! at the end of a word, then French elided words.

    This is the rule of the README; `spaced` is its inverse.
    """
    found = []
    for chunk in line.split():
        body = chunk.rstrip(",.?!") if len(chunk) > 1 else chunk
        marks = list(chunk[len(body) :])
        while french and (match := _ELISION.match(body)):
            found.append(match[1])
            body = match[2]
        found += [body, *marks] if body else marks
    return found


def clear(english):
    """Whether no pronoun of a sentence, put into the masculine, could take up a feminine noun before it."""
    before = set()
    for referent in (w.referent for w in english if w.referent):
        if not referent.unbound:
            before.add(referent)
        elif any(r.feminine and r.many == referent.many and (r.many or r.thing) for r in before):
            return False
    return True


def capitalised(words):
    first = words[0]
    return (replace(first, text=first.text[0].upper() + first.text[1:]), *words[1:])
