"""The words: nouns, adjectives, verbs, names, and what goes with what.

Every English entry has exactly one French translation in the place where it can stand, so that English determines French. Tags are
the kinds of things; adjectives and verbs name the kinds they go with, which keeps the sentences sensible.
"""

from dataclasses import dataclass
from pathlib import Path

from . import english, french
from .words import starts_with_vowel

M, F = "m", "f"


@dataclass(frozen=True)
class Noun:
    """A noun of one or several words, in both languages and numbers, with the links between the words (None: all with all)."""

    name: str
    english: tuple  # singular, plural
    french: tuple  # singular, plural
    gender: str
    tags: frozenset
    links: str | None = None


@dataclass(frozen=True)
class Adjective:
    name: str
    comparative: str | None  # "bigger"; None: "more expensive"
    superlative: str | None
    forms: tuple  # m, f, m plural, f plural, and m before a vowel
    before: bool  # stands before the French noun
    tags: frozenset

    def agreeing(self, is_feminine, many, following="."):
        if not is_feminine and not many and starts_with_vowel(following):
            return self.forms[4]
        return self.forms[2 * many + is_feminine]


@dataclass(frozen=True)
class Verb:
    """A verb with the words that belong to it, as "be afraid of" = "avoir peur de"."""

    name: str
    english: english.EnglishVerb
    english_tail: tuple
    french: french.FrenchVerb
    french_tail: tuple
    preposition: str | None  # à, de before the French object
    reflexive: bool
    with_etre: bool  # the auxiliary
    stative: bool  # its simple past is an imparfait
    style: str
    objects: frozenset

    @property
    def is_be(self):
        return self.english.base == "be"


WITH_ETRE = {"arriver", "partir", "aller", "venir", "sortir", "rentrer", "revenir", "rester", "tomber"}
STATIVE = {  # their simple past tells of a state: an imparfait
    "have", "need", "be", "be afraid of", "be hungry", "be thirsty", "be right", "be wrong", "be called", "look like", "want", "know",
    "know that",    "live", "hope", "think",
}  # fmt: skip

GIVEN_NAMES = {  # all invented people
    F: ("Anna", "Clara", "Emma", "Julia", "Nora", "Sophie", "Laura", "Alice"),
    M: ("Paul", "Lucas", "Simon", "Oscar", "David", "Martin", "Adrien", "Victor"),
}
SURNAMES = ("Valmont", "Tavel", "Delorme", "Orsini", "Brandt", "Kessler")


@dataclass(frozen=True)
class Place:
    """A named place: its French name, and how "in" and "from" are said."""

    english: str
    french: str
    inside: str
    origin: str


PLACES = tuple(
    Place(*(part.strip() for part in line.split("|")))
    for line in """
    Paris              | Paris        | à      | de
    Lyon               | Lyon         | à      | de
    London             | Londres      | à      | de
    Lisbon             | Lisbonne     | à      | de
    Brussels           | Bruxelles    | à      | de
    Athens             | Athènes      | à      | de
    Geneva             | Genève       | à      | de
    Italy              | Italie       | en     | de
    Spain              | Espagne      | en     | de
    Germany            | Allemagne    | en     | de
    France             | France       | en     | de
    Canada             | Canada       | au     | du
    Japan              | Japon        | au     | du
    Portugal           | Portugal     | au     | du
    the United States  | États-Unis   | aux    | des
    """.strip().splitlines()
)

WEEKDAYS = dict(
    zip(
        "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(),
        "lundi mardi mercredi jeudi vendredi samedi dimanche".split(),
        strict=True,
    )
)
MONTHS = dict(
    zip(
        "January February March April May June July August September October November December".split(),
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split(),
        strict=True,
    )
)

JOB_FEMININE = {  # how a woman's job is called, where it differs from the noun
    "étudiant": "étudiante", "boulanger": "boulangère", "écrivain": "écrivaine",
    "ingénieur": "ingénieure",
}  # fmt: skip
JOB_MASCULINE = {"infirmière": "infirmier", "chanteuse": "chanteur"}


# ---- reading the tables


def _rows(name):
    text = (Path(__file__).parent / "tables" / f"{name}.txt").read_text(encoding="utf-8")
    return [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if not line.startswith("#")]


def _inflected(text, head, rule):
    """Singular and plural of "pomme/pommes de terre"; without a slash the word at `head` follows the rule."""
    parts = text.split()
    if "/" not in text:
        many = list(parts)
        many[head] = rule(many[head])
        return text, " ".join(many)
    return tuple(" ".join(part.split("/")[-1 if many else 0] for part in parts) for many in (False, True))


def _noun(tags, eng, fra, gender, links=None):
    forms = _inflected(eng, -1, english.plural)
    kinds = frozenset(tags.split()) | {forms[0]}
    return Noun(forms[0], forms, _inflected(fra, 0, french.plural), gender, kinds, links)


def _adjective(eng, fra, where, tags):
    base, comparative, superlative = (eng.split("/") + [None, None])[:3]
    given = fra.split("/")
    masculine = given[0]
    if "_" in masculine:
        forms = (masculine,) * 5
    else:
        feminine = given[1] if len(given) > 1 else french.feminine(masculine)
        plurals = given[2:4] if len(given) > 3 else (french.plural(masculine), feminine + "s")
        forms = (masculine, feminine, *plurals, given[4] if len(given) > 4 else masculine)
    return Adjective(base, comparative, superlative, forms, where == "before", frozenset(tags.split()))


def _verb(eng, fra, style, objects="", name=None):
    head, *english_tail = eng.split()
    reflexive = fra.startswith(("se ", "s'"))
    infinitive, *rest = fra.removeprefix("se ").removeprefix("s'").split()
    preposition = rest.pop() if rest and rest[-1] in ("à", "de") else None
    name = name or " ".join([head.split("/")[0], *english_tail])
    return Verb(
        name=name,
        english=english.english_verb(head),
        english_tail=tuple(english_tail),
        french=french.french_verb(infinitive),
        french_tail=tuple(rest),
        preposition=preposition,
        reflexive=reflexive,
        with_etre=reflexive or infinitive in WITH_ETRE,
        stative=name in STATIVE,
        style=style,
        objects=frozenset(objects.split()),
    )


NOUNS = {n.name: n for n in (_noun(*row) for row in _rows("nouns"))}
ADJECTIVES = {a.name: a for a in (_adjective(*row) for row in _rows("adjectives"))}
VERBS = {v.name: v for v in (_verb(*row) for row in _rows("verbs"))}


def nouns(*tags):
    """All nouns that have one of the tags."""
    return tuple(n for n in NOUNS.values() if n.tags & set(tags))


def adjectives_for(kind, before):
    """Attributive adjectives that go with a noun."""
    return tuple(a for a in ADJECTIVES.values() if a.before == before and a.tags & kind.tags)
