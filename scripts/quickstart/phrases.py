"""Noun phrases and pronouns."""

from dataclasses import dataclass, field, replace
from functools import cached_property

from . import english, french
from .english import I, SHE, THEY, WE, YOU
from .lexicon import F, M, Adjective, Noun
from .words import EMPTY, Key, Pair, Referent, alone, fixed, merge, starts_with_vowel, word

_POSSESSIVES = {
    "my": ("mon", "ma", "mes"),
    "his": ("son", "sa", "ses"),
    "her": ("son", "sa", "ses"),
    "our": ("notre", "notre", "nos"),
    "your": ("votre", "votre", "vos"),
    "their": ("leur", "leur", "leurs"),
}
POSSESSIVE_OF = {I: "my", WE: "our", YOU: "your", THEY: "their"}

#   English        French            links
_QUANTITIES = {
    "a lot of": ("beaucoup de", "1-1 2-1 3-2"),
    "too much": ("trop de", "1-1 2-1 2p2"),
    "too many": ("trop de", "1-1 2-1 2p2"),
    "enough": ("assez de", "1-1 1p2"),
    "several": ("plusieurs", "1-1"),
    "a few": ("quelques", "1-1 2-1"),
    "every": ("chaque", "1-1"),
}


@dataclass
class Nominal:
    """Anything that can be a subject or an object."""

    gender: str
    many: bool
    person: int

    @property
    def feminine(self):
        return self.gender == F


@dataclass
class NounPhrase(Nominal):
    """Determiner, adjectives, noun, and what follows it.

    `determiner` is one of: the, a, some, bare, generic, this, none, all, a possessive (my, ...), a quantity (a lot of, ...), or "number"
    or "owner" with the number (and whether it is in digits) or the owning nominal as `value`. `bare` is "books" in "he sells books"
    (des livres), `generic` in "he likes books" (les livres), `none` has no article in French either.
    """

    noun: Noun
    determiner: str
    value: object = None
    before: Adjective | None = None
    after: Adjective | None = None
    degree: str | None = None  # of the adjective: "most" for the superlative
    follows: Pair = EMPTY  # a relative clause, "of water"
    key: Key = field(default_factory=Key)  # the determiner
    helper: Key = field(default_factory=Key)  # for words that only one of the languages needs
    nouns: Pair = EMPTY
    adjectives: dict = field(default_factory=dict)

    def __post_init__(self):
        self.nouns = fixed(self.noun.english[self.many], self.noun.french[self.many], self.noun.links)
        self.adjectives = {a.name: (Key(), Key()) for a in (self.before, self.after) if a}

    def english(self, denied=False):
        adjectives = [
            w
            for a in (self.before, self.after)
            if a
            for w in english_adjective(a, self.degree, *self.adjectives[a.name])
        ]
        head = self.nouns.english
        thing = not self.noun.tags & {"person", "kin"}
        about = Referent(self.many, thing, self.feminine)
        head = (*head[:-1], replace(_also(head[-1], self.helper), referent=about))
        return (*self._english_determiner(denied), *adjectives, *head, *self.follows.english)

    def french(self, denied=False, after_de=False):
        before, after = (self._french_adjective(a) for a in (self.before, self.after))
        noun = self.nouns.french
        if before and len(before) == 1:
            following = noun[0].text
            before = self._french_adjective(self.before, following)
        core = (*before, *noun, *after)
        rest = self._french_superlative(core)
        return (
            *self._french_determiner(denied, after_de, core[0].text),
            *rest,
            *self._french_owner(),
            *self.follows.french,
        )

    def _french_adjective(self, adjective, following="."):
        if adjective is None:
            return ()
        return french_adjective(adjective, self, self.degree, *self.adjectives[adjective.name], following=following)

    def _french_superlative(self, core):
        """ "la voiture la plus chère": a superlative that follows has an article of its own."""
        if self.degree != "most" or not self.after:
            return core
        at = len(self.nouns.french) + (1 if self.before else 0)
        key = self.adjectives[self.after.name][1]
        article = word(_article(self.gender, self.many), possible=(key,))
        return (*core[:at], article, *core[at:])

    def _english_determiner(self, denied):
        kind = self.determiner
        if kind in ("bare", "generic", "none"):
            return ()
        if kind == "number":
            return self._number.english
        if kind == "owner":
            return english_owner(self.value, self.key, self.helper)
        if kind == "all":
            return (word("all", self.key), word("the", self.helper))
        if kind in _QUANTITIES:
            return self._quantity.english
        if kind == "a":
            return () if self.many else (word("a", self.key),)
        text = {"some": "any" if denied else "some", "this": "these" if self.many else "this"}.get(kind, kind)
        return (word(text, self.key),)

    def _french_determiner(self, denied, after_de, following):
        kind, key = self.determiner, self.key
        if kind in _POSSESSIVES:
            return (word(self._possessive(following), key),)
        if kind == "number":
            return self._number.french
        if kind == "all":
            return (word("toutes" if self.feminine else "tous", key), word("les", self.helper, article=True))
        if kind in _QUANTITIES:
            return self._quantity.french
        if kind == "this":
            return (word(self._demonstrative(following), key),)
        if kind in ("the", "generic", "owner"):
            text = _article(self.gender, self.many)
            the = word(text, key) if kind == "the" else word(text, possible=(self.helper,))
            return (replace(the, article=True),)
        return () if kind == "none" else self._indefinite(denied, after_de, following)

    def _indefinite(self, denied, after_de, following):
        """un, une, des; du, de la, de l'; only "de" when denied or before an adjective, nothing after another "de"."""
        mass = "mass" in self.noun.tags
        visible = self.determiner == "some" or (self.determiner == "a" and not self.many)

        def say(text, article=False):
            return (
                word(text, self.key, article=article)
                if visible
                else word(text, possible=(self.helper,), article=article)
            )

        if not self.many and not mass:
            return (say("de") if denied else say("une" if self.feminine else "un"),)
        if after_de:
            return ()
        if denied or (self.many and self.before):
            return (say("de"),)
        return (say("de"), say(_article(self.gender, self.many), article=True))

    def _possessive(self, following):
        masculine, feminine, plural = _POSSESSIVES[self.determiner]
        if self.many:
            return plural
        return feminine if self.feminine and not starts_with_vowel(following) else masculine

    def _demonstrative(self, following):
        if self.many:
            return "ces"
        return "cette" if self.feminine else "cet" if starts_with_vowel(following) else "ce"

    def _french_owner(self):
        if self.determiner != "owner":
            return ()
        return (word("de", self.key), *self.value.french(after_de=True))

    @cached_property
    def _number(self):
        return number(*self.value, is_feminine=self.feminine)

    @cached_property
    def _quantity(self):
        return fixed(self.determiner, *_QUANTITIES[self.determiner])


def _article(gender, many):
    return "les" if many else "la" if gender == F else "le"


def _also(w, key):
    return replace(w, possible=w.possible | {key})


def english_owner(owner, key, helper):
    """ "my father's": the last word of the owner takes the 's."""
    *rest, last = owner.english()
    text = last.text + ("'" if owner.many and last.text.endswith("s") else "'s")
    return (*rest, merge(text, last, word("", key, possible=(helper,))))


def english_adjective(adjective, degree, key, degree_key):
    """ "big", "bigger", "more expensive", "biggest", "most expensive", "as big", "less expensive"."""
    inflected = {"more": adjective.comparative, "most": adjective.superlative}.get(degree)
    if inflected:
        return (word(inflected, key, degree_key),)
    if degree:
        return (word(degree, degree_key), word(adjective.name, key))
    return (word(adjective.name, key),)


def french_adjective(adjective, agreeing, degree, key, degree_key, following="."):
    """The adjective, agreeing with a nominal, with plus, moins or aussi."""
    if adjective.name == "good" and degree in ("more", "most"):
        text = "meilleur" + "e" * agreeing.feminine + "s" * agreeing.many
        return (word(text, key, degree_key),)
    texts = adjective.agreeing(agreeing.feminine, agreeing.many, following).split("_")
    words = tuple(word(text, key) for text in texts)
    adverb = {"more": "plus", "most": "plus", "less": "moins", "as": "aussi"}.get(degree)
    return (word(adverb, degree_key), *words) if adverb else words


@dataclass
class Name(Nominal):
    """A person's name, the same in both languages but for a title."""

    words: Pair

    def english(self, denied=False):
        return self.words.english

    def french(self, denied=False, after_de=False):
        return self.words.french


def name(text, gender, title=None):
    titles = {M: "Mr monsieur", F: "Mrs madame"}[gender].split()
    words = fixed(f"{titles[0]} {text}", f"{titles[1]} {text}", "1-1 2-2") if title else fixed(text, text)
    return Name(gender, False, SHE, words)


@dataclass
class Couple(Nominal):
    """Two or more nominals joined by "and"."""

    parts: tuple
    joint: Pair

    def english(self, denied=False):
        *first, last = _joined([part.english(denied) for part in self.parts], self.joint.english)
        return (*first, replace(last, referent=Referent(True, False, self.feminine)))

    def french(self, denied=False, after_de=False):
        return _joined([part.french(denied, after_de) for part in self.parts], self.joint.french)


def couple(*parts):
    gender = F if all(part.feminine for part in parts) else M
    commas = fixed(
        ", " * (len(parts) - 2), ", " * (len(parts) - 2), " ".join(f"{i + 1}-{i + 1}" for i in range(len(parts) - 2))
    )
    return Couple(gender, True, THEY, tuple(parts), commas + fixed("and", "et"))


def _joined(parts, joints):
    words = parts[0]
    for part, joint in zip(parts[1:], joints, strict=True):
        words = (*words, joint, *part)
    return words


_ENGLISH_SUBJECT = {I: "I", WE: "we", YOU: "you", THEY: "they"}
_ENGLISH_OBJECT = {I: "me", WE: "us", YOU: "you", THEY: "them"}


@dataclass
class Pronoun(Nominal):
    """A personal pronoun. `thing` makes "it" of a single one; `bound` is one that takes up something said before."""

    thing: bool = False
    bound: bool = False
    key: Key = field(default_factory=Key)

    def _third(self, masculine, feminine, thing):
        return thing if self.thing else feminine if self.feminine else masculine

    def english(self, denied=False):
        return self._english(_ENGLISH_OBJECT.get(self.person) or self._third("him", "her", "it"))

    def english_subject(self):
        return self._english(_ENGLISH_SUBJECT.get(self.person) or self._third("he", "she", "it"))

    def _english(self, text):
        unbound = not self.bound and (self.thing or self.person == THEY)
        about = Referent(self.many, self.thing, self.feminine, unbound=True) if unbound else None
        return (replace(word(text, self.key), referent=about),)

    def french(self, denied=False, after_de=False):
        """After a preposition: moi, lui, elle, ..."""
        third = {(SHE, F): "elle", (SHE, M): "lui", (THEY, F): "elles", (THEY, M): "eux"}
        text = {I: "moi", WE: "nous", YOU: "vous"}.get(self.person) or third[self.person, self.gender]
        return (word(text, self.key),)

    @property
    def french_subject_text(self):
        third = {(SHE, F): "elle", (SHE, M): "il", (THEY, F): "elles", (THEY, M): "ils"}
        return {I: "je", WE: "nous", YOU: "vous"}.get(self.person) or third[self.person, self.gender]

    @property
    def direct_clitic(self):
        return {I: "me", WE: "nous", YOU: "vous", THEY: "les"}.get(self.person) or ("la" if self.feminine else "le")

    @property
    def indirect_clitic(self):
        return {I: "me", WE: "nous", YOU: "vous", THEY: "leur"}.get(self.person, "lui")


def pronoun(person, gender=M, thing=False, bound=False):
    return Pronoun(gender, person in (WE, THEY), person, thing, bound)


def pronoun_for(nominal, thing=False):
    """The pronoun that takes up a nominal: il, elle, ils, elles."""
    return pronoun(THEY if nominal.many else SHE, nominal.gender, thing, bound=True)


def noun_phrase(noun, determiner, many=False, **more):
    return NounPhrase(noun.gender, many, THEY if many else SHE, noun, determiner, **more)


def number(value, digits=False, is_feminine=False):
    """A number in digits, or, from 1 to 99, in words."""
    if digits:
        return fixed(str(value), str(value))
    return fixed(english.number_below_100(value), french.number_below_100(value, is_feminine))


def thousands(value):
    """ "1,200" = "1 200"."""
    return fixed(f"{value:,}", f"{value:,}".replace(",", " "))


def hundreds(count, rest, is_feminine=False):
    """ "two hundred and fifty" = "deux cent cinquante"; "hundred" is an invariable unit after which "and" has no counterpart."""
    hundred, key = Key(), Key()
    left = (
        *((word("one", hundred),) if count == 1 else (word(english.number_below_100(count), key),)),
        word("hundred", hundred),
    )
    cents = "cents" if count > 1 and not rest else "cent"
    right = (*(() if count == 1 else (word(french.number_below_100(count), key),)), word(cents, hundred))
    if not rest:
        return Pair(left, right)
    return Pair((*left, alone("and")), right) + number(rest, is_feminine=is_feminine)


def preposition(eng, fra, nominal, links=None):
    """A preposition and what it governs, in both languages."""
    head = fixed(eng, fra, links)
    return head + Pair(nominal.english(), nominal.french(after_de=fra.endswith("de")))
