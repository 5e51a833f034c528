"""Statements of what somebody or something is, has, costs, or how many there are."""

from . import adjuncts, meanings
from .clauses import Adjectival, Clause, VerbPhrase, subject_words
from .english import I, SHE, THEY, YOU
from .french import agree
from .kinds import being, kind, opened, said
from .lexicon import ADJECTIVES, F, JOB_FEMININE, JOB_MASCULINE, M, NOUNS, VERBS, nouns
from .phrases import (
    Name,
    Nominal,
    english_adjective,
    french_adjective,
    hundreds,
    noun_phrase,
    number,
    preposition,
    pronoun,
    thousands,
)
from .words import EMPTY, Key, Pair, fixed, merge, word

# ---- adjectives as predicates

GRADED = {  # take very, more
    "big", "small", "beautiful", "old", "young", "long", "heavy", "expensive", "dirty", "clean", "interesting", "famous", "rich", "happy",
    "sad", "sick", "tired", "intelligent", "kind", "dangerous", "difficult", "easy", "important", "fresh", "hot", "cold", "tall", "angry",
    "good", "bad",
}  # fmt: skip
COMPARED = GRADED - {"angry", "bad", "fresh", "sick", "sad"}
_PASSING = (
    "happy",
    "sad",
    "sick",
    "tired",
    "angry",
    "late",
    "ready",
    "lost",
    "rich",
    "hot",
    "cold",
    "dirty",
    "clean",
    "open",
    "closed",
)
NATIONAL = ("French", "English", "Italian", "Spanish")
_DEGREES = (("very", "très"), ("too", "trop"), ("really", "vraiment"))


def predicate(draw, adjective, degree=None, follows=EMPTY, graded=True):
    """An adjective said of the subject, perhaps with very or too before it."""
    key, degree_key = Key(), Key()
    graded = graded and degree is None and adjective.name in GRADED
    before = fixed(*draw.pick(_DEGREES)) if graded and draw.chance(0.35) else EMPTY

    def french(subject):
        return (*before.french, *french_adjective(adjective, subject, degree, key, degree_key))

    return Adjectival((*before.english, *english_adjective(adjective, degree, key, degree_key)), french, follows)


def placed(place):
    """ "in the kitchen" as a predicate."""
    return Adjectival(place.english, lambda _: place.french)


class NominalPredicate:
    """A nominal said of the subject: "my brother"."""

    def __init__(self, nominal):
        self.nominal = nominal

    def english(self):
        return self.nominal.english()

    def french(self, subject):
        return self.nominal.french()


def state(draw, subject, adjective):
    """ "He is no longer tired", "The cakes were delicious"."""
    passing = adjective.name in _PASSING
    tense = draw.weighted({"present": 6, "past": 3 * (adjective.name not in NATIONAL), "future": 0.4 * passing})
    negation = draw.weighted({None: 7, "not": 2, "no longer": 0.6 * (passing and tense == "present")})
    clause = Clause(subject, VerbPhrase(VERBS["be"], predicate=predicate(draw, adjective)), tense, negation)
    if passing and negation is None and tense == "present" and draw.chance(0.2):
        clause.adverb = fixed(*draw.pick(adjuncts.FREQUENCIES[:3]))
    return clause.pair()


@kind(6)
def described_person(draw):
    return state(draw, meanings.a_subject(draw, 0.42), meanings.an_adjective_about(draw))


@kind(5)
def described_thing(draw):
    subject, thing = a_thing(draw)
    return state(draw, subject, meanings.an_adjective_about(draw, thing))


_THINGS = (
    "animal", "fruit", "dish", "food", "drink", "reading", "show", "heard", "small", "machine", "furniture", "clothing", "vehicle",
    "building", "town", "room", "opening", "visited", "asked", "finished", "instrument", "breakable",
)  # fmt: skip


def a_thing(draw):
    """A definite thing to say something about, with its noun."""
    thing = draw.pick([n for n in nouns(*_THINGS)])
    many = "plural" in thing.tags or ("mass" not in thing.tags and draw.chance(0.2))
    if thing.tags & {"owned", "lost", "clothing", "vehicle", "pet", "home"} and draw.chance(0.5):
        if draw.chance(0.3):
            return noun_phrase(thing, "owner", many, value=meanings.an_owner(draw)), thing
        return noun_phrase(thing, draw.pick(("my", "his", "her", "our", "your", "their")), many), thing
    return noun_phrase(thing, draw.weighted({"the": 6, "this": 3}), many), thing


# ---- comparisons


@kind(4)
def comparison(draw):
    """ "My car is more expensive than this house."."""
    if draw.chance(0.5):
        adjective = ADJECTIVES[draw.pick(("tall", "old", "young", "rich", "happy", "intelligent", "kind", "tired"))]
        subject, other = meanings.a_subject(draw, 0.2), meanings.a_subject(draw, 0)
    else:
        adjective, subject, other = _compared_things(draw)
    degree = draw.weighted({"more": 6, "as": 2, "less": 0 if adjective.comparative else 2})
    than = preposition("as" if degree == "as" else "than", "que", other)
    tense = draw.weighted({"present": 6, "past": 1})
    return being(subject, predicate(draw, adjective, degree, than), tense, draw.maybe("not", 0.12))


def _compared_things(draw):
    while True:
        subject, thing = a_thing(draw)
        fitting = [a for a in ADJECTIVES.values() if a.tags & thing.tags and a.name in COMPARED]
        if fitting:
            break
    adjective = draw.pick(fitting)
    draw.note("adjective", adjective.name, thing.name)
    shared = [n for n in nouns(*_THINGS) if n.tags & adjective.tags & thing.tags]
    other = draw.pick(shared)
    many = "plural" in other.tags or ("mass" not in other.tags and subject.many)
    determiner = "the" if subject.determiner == "this" else "this"
    if "mass" not in other.tags and draw.chance(0.4):
        determiner = draw.pick(("my", "your", "his", "our"))
    return adjective, subject, noun_phrase(other, determiner, many)


@kind(2.5)
def superlative(draw):
    """ "This is the most expensive hotel in the town" = "C'est l'hôtel le plus cher de la ville"."""
    if draw.chance(0.35):
        subject = meanings.a_single_subject(draw) if draw.chance(0.7) else pronoun(SHE, draw.pick((F, M)))
        who = NOUNS["woman" if subject.feminine else "man"]
        best = _best(
            draw, who, ("rich", "old", "young", "tall", "kind", "intelligent"), draw.pick(("town", "village", "school"))
        )
        return being(subject, NominalPredicate(best))
    buildings = nouns("building")
    if draw.chance(0.6):
        thing = draw.pick(buildings + nouns("machine", "furniture", "instrument"))
        return this_is(_best(draw, thing, COMPARED - {"good"}, "town" if thing in buildings else "shop"))
    best = _best(draw, draw.pick(buildings), COMPARED - {"good"}, draw.pick(("town", "village")))
    return said(
        meanings.a_subject(draw), VerbPhrase(VERBS["visit"], object=best), draw.pick(("past", "perfect", "future"))
    )


def _best(draw, noun, names, where):
    """ "the biggest house in the town" = "la plus grande maison de la ville"."""
    fitting = [a for a in ADJECTIVES.values() if a.name in names and (a.tags & noun.tags or a.name == "tall")]
    fitting = [a for a in fitting if a.name != "tall" or "person" in noun.tags]
    adjective = draw.pick(fitting)
    draw.note("adjective", adjective.name, noun.name)
    inside = preposition("in", "de", noun_phrase(NOUNS[where], "the"))
    place = {"before": adjective} if adjective.before or adjective.name == "tall" else {"after": adjective}
    return noun_phrase(noun, "the", degree="most", follows=inside, **place)


# ---- who, what, where


def this_is(nominal, negation=None):
    """ "This is my brother" = "C'est mon frère", "These are ..." = "Ce sont ..."."""
    this = Name(M, nominal.many, nominal.person, fixed("these" if nominal.many else "this", "ce"))
    return being(this, NominalPredicate(nominal), "present", negation)


@kind(3)
def this_is_something(draw):
    if draw.chance(0.3):
        return this_is(meanings.a_relative(draw), draw.maybe("not", 0.2))
    thing = draw.pick([n for n in nouns(*_THINGS) if not n.tags & {"mass", "language", "sea"}])
    many = "plural" in thing.tags or draw.chance(0.3)
    if draw.chance(0.15) and thing.tags & {"lost", "clothing", "vehicle", "pet", "home"}:
        nominal = noun_phrase(thing, "owner", many, value=meanings.an_owner(draw))
    else:
        determiner = draw.weighted({"a": 5, "my": 1, "his": 1, "her": 1, "your": 1, "our": 1})
        nominal = meanings.described(draw, noun_phrase(thing, determiner, many), 0.6)
    return this_is(nominal, draw.maybe("not", 0.2))


@kind(2.5)
def jobs(draw):
    """ "My aunt is a lawyer" = "Ma tante est avocate": no article, and the job agrees."""
    if draw.chance(0.3):
        subject = draw.pick((pronoun(I), pronoun(SHE, F), pronoun(SHE, M)))
    else:
        subject = draw.pick((meanings.a_name, meanings.a_relative))(draw)
        while subject.many:
            subject = draw.pick((meanings.a_name, meanings.a_relative))(draw)
    job = draw.pick(nouns("job"))
    draw.note("job", job.name, subject.gender)
    return being(subject, Job(job), draw.weighted({"present": 6, "past": 2}), draw.maybe("not", 0.15))


class Job:
    """A job as a predicate."""

    def __init__(self, job):
        self.job, self.key = job, Key()

    def english(self):
        return (word("a", possible=(self.key,)), word(self.job.name, self.key))

    def french(self, subject):
        text = self.job.french[0]
        return (word((JOB_FEMININE if subject.feminine else JOB_MASCULINE).get(text, text), self.key),)


@kind(2)
def whereabouts(draw):
    """ "The keys are in the kitchen."."""
    if draw.chance(0.35):
        subject, place = meanings.a_subject(draw), draw.pick((adjuncts.at_place, adjuncts.in_named))(draw)
    else:
        thing = draw.pick(nouns("lost", "pet", "container", "clothing", "breakable", "reading"))
        many = "plural" in thing.tags or draw.chance(0.25)
        subject = noun_phrase(thing, draw.pick(("the", "the", "my", "his", "her", "our", "your")), many)
        place = adjuncts.inside(draw)
    return being(subject, placed(place), draw.pick(("present", "present", "past")), draw.maybe("not", 0.15))


# ---- there is


@kind(5)
def there_is(draw):
    """ "There isn't any milk in the kitchen" = "Il n'y a pas de lait dans la cuisine"."""
    found, place = found_somewhere(draw)
    tense = draw.weighted({"present": 6, "past": 2, "future": 0.6})
    denied = tense != "future" and found.determiner in ("a", "some", "a lot of") and draw.chance(0.2)
    there, exists, no = Key(), Key(), Key()
    finite = word(
        {"present": ("is", "are"), "past": ("was", "were"), "future": ("be", "be")}[tense][found.many], exists
    )
    before = (word("will", possible=(exists,)),) if tense == "future" else ()
    if denied:
        finite = merge(finite.text + "n't", finite, word("", no))
    english = (word("there", there), *before, finite, *found.english(denied), *place.english)
    ne, pas = ((word("ne", no),), (word("pas", no),)) if denied else ((), ())
    a = word({"present": "a", "past": "avait", "future": "aura"}[tense], exists)
    french = (word("il", there), *ne, word("y", there), a, *pas, *found.french(denied), *place.french)
    return opened(draw, Pair(english, french), 0.05)


def found_somewhere(draw, asked=False):
    """What there is, and where."""
    match draw.weighted({"in": 5, "town": 3, "nature": 1}):
        case "in":
            thing = draw.pick(nouns("fruit", "food", "drink", "reading", "small", "breakable", "container", "pet"))
            place = adjuncts.inside(draw)
        case "town":
            thing = draw.pick(nouns("building", "business"))
            place = draw.pick((adjuncts.landmark, adjuncts.in_named))(draw)
        case "nature":
            thing = draw.pick(
                [n for n in nouns("nature", "animal", "person") if n.name not in ("sea", "star", "king", "queen")]
            )
            place = draw.pick((adjuncts.landmark, adjuncts.between_landmarks))(draw)
    if thing.english[0].split()[-1] in [w.text for w in place.english]:  # no church beside a church
        return found_somewhere(draw, asked)
    many = "mass" not in thing.tags and ("plural" in thing.tags or draw.chance(0.45))
    if "mass" in thing.tags:
        determiner = draw.weighted({"some": 5, "a lot of": 2})
    elif "plural" in thing.tags:
        determiner = "some"
    elif many:
        determiner = draw.weighted({"some": 2, "several": 1, "a few": 1, "a lot of": 1, "number": 4 * (not asked)})
    else:
        determiner = "a"
    return meanings.described(
        draw, noun_phrase(thing, determiner, many, value=meanings.a_small_number(draw)), 0.3
    ), place


@kind(1.5)
def counting(draw):
    """ "There are twenty-one students in this school."."""
    who, where = draw.pick((
        ("student", "school"), ("teacher", "school"), ("child", "school"), ("boy", "school"), ("girl", "school"), ("man", "room"),
        ("woman", "room"), ("book", "room"), ("chair", "room"), ("house", "village"), ("house", "street"), ("hotel", "town"),
        ("tree", "garden"), ("computer", "school"), ("bed", "hospital"), ("church", "town"),
    ))  # fmt: skip
    count = noun_phrase(NOUNS[who], "number", True, value=(draw.between(13, 99),))
    place = preposition("in", "dans", noun_phrase(NOUNS[where], draw.pick(("this", "this", "the", "our"))))
    pair = fixed("there are", "il y a", "1-1 1-2 2-3")
    return Pair((*pair.english, *count.english(), *place.english), (*pair.french, *count.french(), *place.french))


# ---- ages, prices, dates, distances


@kind(1.5)
def born(draw):
    """ "Anna was born on 3 May 1998 in Lyon."."""
    subject = (
        meanings.a_single_subject(draw)
        if draw.chance(0.7)
        else draw.pick((pronoun(I), pronoun(SHE, F), pronoun(SHE, M)))
    )
    when = adjuncts.in_year(draw) if draw.chance(0.4) else adjuncts.on_date(draw, with_year=draw.chance(0.6))
    where = adjuncts.in_named(draw) if draw.chance(0.5) else EMPTY
    be, birth, person = Key(), Key(), subject_words(subject)
    english = (*person.english, word("was", be), word("born", birth))
    finite = word("suis" if subject.person == I else "est", be)
    french = (*person.french, finite, word(agree("né", subject.feminine, False), birth))
    return Pair(english, french) + when + where


@kind(2)
def age(draw):
    """ "Anna is twelve years old" = "Anna a douze ans"."""
    subject = (
        meanings.a_single_subject(draw)
        if draw.chance(0.7)
        else draw.pick((pronoun(I), pronoun(SHE, F), pronoun(SHE, M), pronoun(YOU)))
    )
    digits = draw.chance(0.3)
    years = noun_phrase(
        NOUNS["year"], "number", True, value=(draw.pick(_AGES) if digits else draw.between(5, 95), digits)
    )
    tense, key = draw.pick(("present", "present", "past")), Key()
    is_, has = (VerbPhrase(VERBS[name], predicate=NominalPredicate(years), head=key) for name in ("be", "have"))
    english = (*Clause(subject, is_, tense).english(), word("old", possible=(years.helper,)))
    *rest, last = Clause(subject, has, tense).french()
    return Pair(english, (*rest, merge(last.text, last, word("", possible=(years.helper,)))))


_AGES = (5, 7, 10, 12, 15, 18, 20, 25, 30, 40, 65, 80)


@kind(2.5)
def price(draw):
    """ "This coat costs eighty euros."."""
    thing = draw.pick(nouns("clothing", "machine", "furniture", "small", "fruit", "dish", "vehicle", "instrument"))
    many = "plural" in thing.tags or draw.chance(0.25)
    subject = meanings.described(draw, noun_phrase(thing, draw.weighted({"this": 5, "the": 3}), many), 0.25)
    return said(
        subject, VerbPhrase(VERBS["cost"], object=amount(draw, thing)), draw.weighted({"present": 7, "future": 1})
    )


class Amount(Nominal):
    """A sum of money."""

    def __init__(self, pair):
        super().__init__(M, True, THEY)
        self._pair = pair + fixed("euros", "euros")

    def english(self, denied=False):
        return self._pair.english

    def french(self, denied=False, after_de=False):
        return self._pair.french


def amount(draw, thing):
    """What a thing may cost: "3.50 euros" = "3,50 euros", "1,200 euros" = "1 200 euros"."""
    dear = thing.tags & {"vehicle", "machine", "instrument", "jewel"}
    cheap = thing.tags & {"fruit", "dish", "reading"}
    match draw.weighted(
        {"decimal": 3 * bool(cheap), "words": 3 * (not dear), "digits": 3 * (not cheap), "large": 4 * bool(dear)}
    ):
        case "decimal":
            text = draw.pick(("2.50", "3.50", "4.20", "5.80", "6.95", "7.50", "8.20", "9.95", "12.50"))
            return Amount(fixed(text, text.replace(".", ",")))
        case "words":
            return Amount(number(draw.between(2, 20 if cheap else 99)))
        case "digits":
            return Amount(number(draw.pick((15, 20, 25, 30, 40, 50, 60, 75, 80, 90, 120, 150)), digits=True))
        case "large" if draw.chance(0.5):
            return Amount(hundreds(draw.between(1, 9), draw.pick((0, 0, 20, 50, 75))))
    return Amount(thousands(draw.between(1, 9) * 1000 + draw.pick((200, 500, 800))))


@kind(1)
def distance(draw):
    """ "The hotel is ten kilometres from the sea."."""
    subject = noun_phrase(
        NOUNS[draw.pick(("hotel", "village", "airport", "castle", "railway station", "house"))], "the"
    )
    how_far = draw.pick((2, 3, 5, 6, 10, 12, 15, 20, 25, 30, 40, 50))
    far = noun_phrase(NOUNS["kilometre"], "number", True, value=(how_far, draw.chance(0.4)))
    target = noun_phrase(NOUNS[draw.pick(("sea", "lake", "town", "river", "forest", "museum"))], "the")
    away, to = preposition("from", "de", target), word("à", possible=(far.helper,))
    return being(subject, placed(Pair((*far.english(), *away.english), (to, *far.french(), *away.french))))


@kind(1.2)
def built(draw):
    """A passive: "This bridge was built in 1950" = "Ce pont a été construit en 1950"."""
    kinds = (
        "house",
        "castle",
        "church",
        "museum",
        "school",
        "hotel",
        "hospital",
        "bridge",
        "tower",
        "railway station",
        "town hall",
        "airport",
    )
    subject = noun_phrase(NOUNS[draw.pick(kinds)], draw.weighted({"this": 5, "the": 3}), draw.chance(0.2))
    subject = meanings.described(draw, subject, 0.3)
    be, act = Key(), Key()
    english = (*subject.english(), word("were" if subject.many else "was", be), word("built", act))
    participle = word(agree("construit", subject.feminine, subject.many), act)
    french = (*subject.french(), word("ont" if subject.many else "a", be), word("été", be), participle)
    return Pair(english, french) + adjuncts.in_year(draw)


# ---- weather and time of day


@kind(1.2)
def weather(draw):
    match draw.weighted({"falls": 4, "nice": 3, "cold": 3}):
        case "falls":
            return _falling(draw)
        case "nice":
            eng, fra = draw.pick((("nice", "beau"), ("bad", "mauvais")))
            be, fait = draw.pick((("is", "fait"), ("was", "faisait")))
            return fixed(f"the weather {be} {eng}", f"il {fait} {fra}", "1p1 2-1 3-2 4-3") + adjuncts.in_named(draw)
        case "cold":
            eng, fra = draw.pick((("cold", "froid"), ("hot", "chaud")))
            be, fait = draw.pick((("is", "fait"), ("was", "faisait")))
            degree = fixed(*draw.pick(_DEGREES[:2])) if draw.chance(0.5) else EMPTY
            rooms = ("room", "kitchen", "house", "bedroom", "church", "museum")
            room = preposition("in", "dans", noun_phrase(NOUNS[draw.pick(rooms)], "this"))
            return fixed(f"it {be}", f"il {fait}", "1-1 2-2") + degree + fixed(eng, fra) + room


#         English            French          links          when
_FALLING = (
    ("it is raining", "il pleut", "1-1 2p2 3-2", adjuncts.now_time),
    ("it is snowing", "il neige", "1-1 2p2 3-2", adjuncts.now_time),
    ("it was raining", "il pleuvait", "1-1 2p2 3-2", None),
    ("it was snowing", "il neigeait", "1-1 2p2 3-2", None),
    ("it will rain", "il pleuvra", "1-1 2p2 3-2", adjuncts.future_time),
    ("it rained", "il a plu", "1-1 2p2 2-3", adjuncts.past_time),
    ("it snowed", "il a neigé", "1-1 2p2 2-3", adjuncts.past_time),
)


def _falling(draw):
    *texts, when = draw.pick(_FALLING)
    where = adjuncts.in_named(draw) if draw.chance(0.6) or when is None else EMPTY
    return fixed(*texts) + where + (when(draw) if when else EMPTY)


@kind(0.8)
def it_is_late(draw):
    """ "It is a quarter to six" = "Il est six heures moins le quart"."""
    if draw.chance(0.25):
        late = ("it is late", "il est tard", "1-1 2-2 3-3"), ("it is too early", "il est trop tôt", "1-1 2-2 3-3 4-4")
        return opened(draw, fixed(*draw.pick(late)), 0.6)
    return opened(draw, fixed("it is", "il est", "1-1 2-2") + adjuncts.clock(draw), 0.3)
