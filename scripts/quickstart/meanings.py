"""Who does what: subjects, objects and verb phrases that make sense together."""

from . import adjuncts
from .clauses import Clause, VerbPhrase
from .english import I, SHE, THEY, WE, YOU
from .lexicon import ADJECTIVES, F, GIVEN_NAMES, M, NOUNS, SURNAMES, VERBS, adjectives_for, nouns
from .phrases import POSSESSIVE_OF, couple, name, noun_phrase, preposition, pronoun
from .words import EMPTY, fixed

# ---- people


def a_given_name(draw, gender=None):
    gender = gender or draw.pick((F, M))
    return name(draw.pick(GIVEN_NAMES[gender]), gender)


def a_name(draw):
    """A given name, or "Mrs Valmont"."""
    gender = draw.pick((F, M))
    return name(draw.pick(SURNAMES), gender, title=True) if draw.chance(0.15) else a_given_name(draw, gender)


def a_pronoun(draw):
    person = draw.weighted({I: 5, SHE: 6, WE: 3, YOU: 3, THEY: 3})
    return pronoun(person, draw.pick((F, M)) if person == SHE else M)


def another_person(draw, subject):
    """A pronoun that does not mean the subject: no me or us beside I and we. "He sees him" is about two people."""
    while True:
        chosen = a_pronoun(draw)
        if subject is None or chosen.person in (SHE, THEY) or {chosen.person, subject.person} not in _SAME:
            return chosen


_SAME = ({I}, {WE}, {YOU}, {I, WE})


def a_relative(draw):
    """Kin with a possessive or an owner: "my uncle", "Anna's mother"."""
    kin = draw.pick(nouns("kin"))
    many = "plural" in kin.tags or ("several" in kin.tags and draw.chance(0.15))
    if draw.chance(0.15):
        return noun_phrase(kin, "owner", many, value=a_given_name(draw))
    determiner = draw.weighted({"my": 6, "his": 2, "her": 2, "our": 1.5, "your": 1.5, "their": 1.5})
    return noun_phrase(kin, determiner, many)


def a_person(draw):
    """ "the old baker", "this woman", "three students"."""
    kind = draw.pick(nouns("person"))
    many = kind.name not in ("king", "queen") and draw.chance(0.22)
    determiner = draw.weighted({"the": 8, "this": 1.5, "number": 1 if many else 0, "a": 0 if many else 1})
    return described(draw, noun_phrase(kind, determiner, many, value=a_small_number(draw)), 0.28)


def a_small_number(draw):
    return (draw.weighted({2: 6, 3: 6, 4: 4, 5: 3, 6: 2, 7: 1, 8: 1, 9: 1, 10: 2, 12: 1}),)


def a_subject(draw, pronouns=0.36):
    if draw.chance(pronouns):
        return a_pronoun(draw)
    if draw.chance(0.06):
        return couple(a_given_name(draw, F), a_given_name(draw))
    return draw.weighted({a_name: 3, a_person: 4, a_relative: 3})(draw)


def a_single_subject(draw):
    """A person in the singular that is no pronoun: somebody whom later pronouns can take up."""
    while True:
        subject = draw.weighted({a_name: 3, a_person: 4, a_relative: 3})(draw)
        if not subject.many:
            return subject


def an_owner(draw):
    """Anna, my father, the baker, ..."""
    match draw.weighted({"name": 5, "kin": 3, "person": 3}):
        case "name":
            return a_given_name(draw)
        case "kin":
            kin = draw.pick(nouns("kin"))
            return noun_phrase(kin, draw.pick(("my", "his", "her", "our", "your")), "plural" in kin.tags)
        case "person":
            return noun_phrase(draw.pick(nouns("job")), "the")


# ---- adjectives

INNERMOST = (  # may stand beside another adjective: "a big red car"
    "red", "blue", "green", "white", "black", "yellow", "brown", "French", "English", "Italian", "Spanish", "wooden",
)  # fmt: skip


def described(draw, phrase, probability):
    """The noun phrase, perhaps with an adjective or two; each combination is noted."""
    if not draw.chance(probability):
        return phrase
    words = _only_the(draw, phrase) if phrase.determiner == "the" and draw.chance(0.1) else _fitting(draw, phrase.noun)
    for adjective in words.values():
        draw.note("adjective", adjective.name, phrase.noun.name)
    return noun_phrase(phrase.noun, phrase.determiner, phrase.many, value=phrase.value, follows=phrase.follows, **words)


_IN_SERIES = {"reading", "show", "heard", "taken", "asked", "building", "small"}


def _only_the(draw, phrase):
    """ "the same", "the first": adjectives that need "the"."""
    if "mass" in phrase.noun.tags or not phrase.noun.tags & _IN_SERIES:
        return {}
    names = ("other", "first", "last") if phrase.many else ("same", "other", "first", "last")
    return {"before": ADJECTIVES[draw.pick(names)]}


def _fitting(draw, noun):
    """Adjectives that go with a noun, by where they stand in French."""
    before, after = adjectives_for(noun, True), adjectives_for(noun, False)
    inner = tuple(a for a in after if a.name in INNERMOST)
    options = {"before": 5 * bool(before), "after": 7 * bool(after), "both": 1.5 * bool(before and inner), "none": 1e-9}
    match draw.weighted(options):
        case "before":
            return {"before": draw.pick(before)}
        case "after":
            return {"after": draw.pick(after)}
        case "both":
            return {"before": draw.pick(before), "after": draw.pick(inner)}
    return {}


def an_adjective_about(draw, kind=None):
    """An adjective that can be said of a person, or of a kind of thing."""
    tags = kind.tags if kind else frozenset({"person"})
    fitting = [a for a in ADJECTIVES.values() if a.tags & tags and a.name not in ("young", "new")]
    if tags & {"person", "kin"}:
        fitting = [a for a in fitting if a.name not in ("good", "bad", "important")]
        fitting += [ADJECTIVES[a] for a in ("tall", "angry", "late", "ready", "lost", "young")]
    if tags & {"open", "business"}:
        fitting += [ADJECTIVES[a] for a in ("open", "closed")]
    chosen = draw.pick(fitting)
    if kind:
        draw.note("adjective", chosen.name, kind.name)
    return chosen


# ---- objects: which determiners they take depends on the style of the verb

_MASS = {
    "new": {"bare": 5, "some": 4, "a lot of": 1, "the": 1.5, "too much": 0.5, "enough": 0.5, "this": 0.5},
    "drunk": {"bare": 5, "some": 3, "a lot of": 1, "measure": 2.5, "this": 0.5, "too much": 0.5},
    "the": {"the": 6, "this": 2},
    "free": {"some": 1, "the": 1},
    "given": {"some": 3, "the": 1},
}
_ONE = {
    "new": {"a": 8, "the": 2, "this": 2, "own": 1},
    "free": {"a": 4, "the": 5, "this": 2},
    "owned": {"own": 6, "the": 5, "this": 2, "owner": 1},
    "the": {"the": 7, "this": 3, "every": 0.3},
    "given": {"a": 6, "the": 3, "this": 1, "own": 1},
}
_MANY = {
    "new": {
        "number": 5,
        "a": 3,
        "some": 3,
        "the": 1,
        "this": 1,
        "several": 1,
        "a few": 1,
        "a lot of": 1,
        "too many": 0.5,
        "enough": 0.3,
    },
    "free": {"number": 3, "the": 4, "this": 1, "several": 1, "some": 1, "a few": 1},
    "owned": {"own": 4, "the": 5, "this": 1, "all": 1},
    "the": {"the": 6, "this": 2, "all": 1.5},
    "given": {"number": 3, "some": 2, "the": 2, "this": 1},
}
_NEVER_COUNTED = ("number", "a few", "several", "a lot of", "too many", "enough", "all")  # no "three sunglasses"


def suitable(verb):
    """The nouns that a verb can be about."""
    return nouns(*verb.objects)


def an_object(draw, verb, subject=None):
    """Something the verb can be about, with a determiner in the verb's style."""
    kind = draw.pick(suitable(verb))
    draw.note("object", verb.name, kind.name)
    phrase = object_phrase(draw, kind, verb.style, subject)
    if verb.preposition == "de" and phrase.determiner == "some":  # "besoin de pain" has nothing for it
        phrase.determiner = "bare"
    return phrase


def object_phrase(draw, kind, style, subject=None):
    """A noun with a determiner in some style; `subject` may own it."""
    if style == "generic":
        return noun_phrase(kind, "generic", not kind.tags & {"mass", "sea"})
    if style == "sport":
        return noun_phrase(kind, "generic", kind.name == "chess")
    if "language" in kind.tags:
        return noun_phrase(kind, "none" if style == "bare" else "generic")
    if "kin" in kind.tags:
        return _kin(draw, kind, style, subject)
    if "mass" in kind.tags:
        return described(draw, _mass(draw, kind, style), 0.12)
    return described(draw, _countable(draw, kind, style, subject), 0.32)


def _kin(draw, kind, style, subject):
    """ "two brothers" for what one has, "his mother" otherwise."""
    if style != "new":
        return noun_phrase(kind, _own(draw, subject), "plural" in kind.tags)
    many = draw.chance(0.6)
    return noun_phrase(kind, "number" if many else "a", many, value=a_small_number(draw))


def _mass(draw, kind, style):
    style = "drunk" if "drink" in kind.tags and style == "new" else style if style in _MASS else "the"
    determiner = draw.weighted(_MASS[style])
    if determiner != "measure":
        return noun_phrase(kind, determiner)
    measure = NOUNS["cup" if "warm" in kind.tags else draw.pick(("glass", "bottle"))]
    inner = preposition("of", "de", noun_phrase(kind, "bare"))
    many = draw.chance(0.3)
    return noun_phrase(measure, "number" if many else "a", many, value=a_small_number(draw), follows=inner)


def _countable(draw, kind, style, subject):
    many = "plural" in kind.tags or draw.chance(0.28) and "sea" not in kind.tags
    determiner = draw.weighted((_MANY if many else _ONE)[style])
    if "plural" in kind.tags and determiner in _NEVER_COUNTED:
        determiner = "the"
    if determiner == "owner":
        return noun_phrase(kind, "owner", many, value=an_owner(draw))
    if determiner == "own":
        determiner = _own(draw, subject)
    return noun_phrase(kind, determiner, many, value=a_small_number(draw) if determiner == "number" else None)


def _own(draw, subject):
    """A possessive: mostly the subject's own."""
    if subject is not None and draw.chance(0.7):
        return POSSESSIVE_OF.get(subject.person) or ("her" if subject.feminine else "his")
    return draw.weighted({"my": 4, "his": 2, "her": 2, "our": 1, "your": 2, "their": 1})


def an_object_pronoun(draw, verb, subject):
    """me, you, him, her, us, them where the object is a person, otherwise it or them."""
    if {"person", "kin"} & {tag for n in suitable(verb) for tag in n.tags}:
        return another_person(draw, subject)
    return pronoun(draw.weighted({SHE: 3, THEY: 0 if verb.preposition else 2}), M, thing=True)


# ---- verb phrases

TRANSITIVE = tuple(v for v in VERBS.values() if v.objects and v.style != "given")
GIVING = tuple(v for v in VERBS.values() if v.style == "given")
_LIKING = ("like", "love", "prefer")
STATES = (*_LIKING, "know", "need", "be afraid of", "remember", "look like", "have")
_AT_ONCE = (
    "find",
    "lose",
    "break",
    "forget",
    "meet",
    "arrive",
    "build",
    "understand",
    "hear",
    "see",
)  # never "is finding"
ACTIONS = tuple(v for v in TRANSITIVE if v.name not in STATES)
LASTING = tuple(v for v in ACTIONS if v.name not in _AT_ONCE)

_TENSES = {
    "present": 9, "progressive": 16, "past": 26, "perfect": 9, "pluperfect": 3, "was": 5, "used": 6, "future": 13, "going": 9, "just": 4,
}  # fmt: skip
_TENSES_AT_ONCE = {tense: weight for tense, weight in _TENSES.items() if tense not in ("progressive", "was", "used")}
_TENSES_OF_LIKING = {"present": 8, "used": 2}
_TENSES_OF_STATE = {"present": 8, "past": 3, "future": 1.5}


def a_tense(draw, verb):
    if verb.name in _LIKING:
        return draw.weighted(_TENSES_OF_LIKING)
    if verb.name in STATES:
        return draw.weighted(_TENSES_OF_STATE)
    return draw.weighted(_TENSES_AT_ONCE if verb.name in _AT_ONCE else _TENSES)


def ambiguous(clause):
    """ "I read the book": present or past?"""
    verb = clause.phrase.verb
    if verb.english.base != verb.english.past or clause.negation == "not":
        return False
    return clause.tense == "past" or clause.tense == "present" and clause.subject.person != SHE


def a_clause(draw, subject, phrase, tense=None, negation="draw", adverb=True, time=0.35):
    """A clause about a subject, with a negation, an adverb beside the verb and a time that suit its tense."""
    verb = phrase.verb
    tense = tense or a_tense(draw, verb)
    denial = _negation(draw, verb, tense) if negation == "draw" else negation
    beside = _adverb(draw, verb, tense) if adverb and not denial else EMPTY
    clause = Clause(subject, phrase, tense, denial, beside)
    if ambiguous(clause):
        clause = Clause(subject, phrase, "future", denial)
    timed = clause.tense in ("past", "future", "going", "present", "progressive", "used") and verb.name not in STATES
    if timed and not clause.adverb.english and denial not in ("never", "no longer") and draw.chance(time):
        phrase.tail = phrase.tail + adjuncts.time_for(draw, clause.tense)
    return clause


def _negation(draw, verb, tense):
    if tense in ("just", "used") or not draw.chance(0.2):
        return None
    never = tense in ("present", "past", "perfect", "future", "pluperfect") and verb.name not in STATES
    no_longer = tense == "present" and verb.name not in ("prefer", "look like")
    return draw.weighted({"not": 6, "never": 2.5 * never, "no longer": 1.5 * no_longer})


def _adverb(draw, verb, tense):
    if not draw.chance(0.16):
        return EMPTY
    if tense in ("perfect", "pluperfect"):
        return fixed("already", "déjà")
    if tense == "progressive":
        return fixed("still", "encore")
    return fixed(*draw.pick(adjuncts.FREQUENCIES)) if tense == "present" and verb.name not in STATES else EMPTY


def about(draw, subject, verbs=TRANSITIVE, pronouns=0.0):
    """A verb phrase with an object, which may be a pronoun."""
    verb = draw.pick(verbs)
    if verb.style not in ("generic", "sport", "bare", "kin") and verb.name != "have" and draw.chance(pronouns):
        return VerbPhrase(verb, object=an_object_pronoun(draw, verb, subject))
    return VerbPhrase(verb, object=an_object(draw, verb, subject))


def giving(draw, subject=None):
    """ "give a book to Anna", "give her a book", "give it to her", "give it to Anna"."""
    verb = draw.pick(GIVING)
    thing = an_object(draw, verb, subject)
    if draw.chance(0.43):
        thing = pronoun(THEY if thing.many else SHE, M, thing=not thing.many)
    recipient = draw.pick((a_name, a_relative))(draw) if draw.chance(0.43) else another_person(draw, subject)
    return VerbPhrase(verb, object=thing, recipient=recipient)


def doing(*names):
    """Verb phrases of a verb alone, to pick from."""
    return lambda draw: VerbPhrase(VERBS[draw.pick(names)])


RESTING = doing("sleep", "work", "sing", "dance", "run", "laugh", "cry")
LEAVING = doing("go home", "leave", "go out", "come back")


def going(draw):
    return VerbPhrase(VERBS["go"], tail=adjuncts.to_place(draw))


def playing(draw):
    """ "play football", "play the guitar"."""
    return about(draw, None, (VERBS["play"], VERBS["play an instrument"]))


def anything(draw, subject):
    """A simple verb phrase of any kind."""
    match draw.weighted({"alone": 3, "go": 2, "object": 3}):
        case "alone":
            return draw.pick((RESTING, RESTING, LEAVING, doing("hurry", "go to bed")))(draw)
        case "go":
            return going(draw)
        case "object":
            return about(draw, subject, LASTING)
