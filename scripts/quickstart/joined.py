"""Sentences of several clauses: reasons, conditions, reports, relative clauses, and what is taken up by a pronoun."""

from . import adjuncts, meanings
from .clauses import Clause, VerbPhrase
from .described import Job, NominalPredicate, amount, placed, predicate, state, this_is
from .english import SHE
from .kinds import being, comma, kind, opened, said, verbs
from .lexicon import ADJECTIVES, F, M, NOUNS, VERBS, nouns
from .phrases import Name, Nominal, noun_phrase, pronoun, pronoun_for
from .statements import going_somewhere, giving, transitive_with_place, with_infinitive
from .words import EMPTY, Key, Pair, fixed, word

_FEELINGS = ("tired", "sick", "happy", "sad", "angry", "late", "lost", "ready")

# ---- reasons


@kind(5)
def because(draw):
    """ "Anna sold the car because it was too old": "it" is "elle" here."""
    return (_because_of_person if draw.chance(0.5) else _because_of_thing)(draw)


def _because_of_person(draw):
    subject = meanings.a_single_subject(draw)
    tense = draw.pick(("past", "future", "progressive"))
    first = meanings.a_clause(draw, subject, meanings.anything(draw, subject), tense, time=0.1, adverb=False)
    who, past = pronoun_for(subject), "past" if tense == "past" else "present"
    match draw.weighted({"be": 5, "hungry": 2, "need": 2, "love": 1}):
        case "be":
            reason = being(who, predicate(draw, ADJECTIVES[draw.pick(_FEELINGS)]), past)
        case "hungry":
            reason = said(who, meanings.doing("be hungry", "be thirsty")(draw), past)
        case "need":
            reason = said(who, meanings.about(draw, who, verbs("need")), past)
        case "love":
            reason = said(who, meanings.about(draw, who, verbs("love")))
    return first.pair() + fixed("because", "parce que") + reason


def _because_of_thing(draw):
    action = VERBS[draw.pick(("buy", "sell", "choose", "clean", "wash", "repair"))]
    goods = {"clothing", "vehicle", "furniture", "machine", "room", "reading"}
    thing = draw.pick([n for n in meanings.suitable(action) if n.tags & goods])
    draw.note("object", action.name, thing.name)
    many = "plural" in thing.tags or draw.chance(0.25)
    it_was = noun_phrase(thing, draw.weighted({"the": 4, "this": 3}), many)
    quality = meanings.an_adjective_about(draw, thing)
    while quality.name in (*meanings.INNERMOST, "open", "closed", "lost"):
        quality = meanings.an_adjective_about(draw, thing)
    opening = said(meanings.a_subject(draw), VerbPhrase(action, object=it_was), draw.pick(("past", "past", "perfect")))
    reason = being(pronoun_for(it_was, thing=not many), predicate(draw, quality), "past", draw.maybe("not", 0.15))
    return opening + fixed("because", "parce que") + reason


def _object_or_pronoun(draw, subject):
    return meanings.about(draw, subject, meanings.LASTING, pronouns=0.2)


# ---- if and when


@kind(6)
def if_and_when(draw):
    """ "If it rains, ...", "When Anna arrives, we will eat" (quand Anna arrivera), "If I was rich, ..." (si j'étais riche)."""
    condition, tense = draw.weighted({_rain: 1, _if: 3, _when: 3, _unreal: 4})(draw)
    subject = meanings.a_subject(draw, 0.6)
    phrase = draw.pick((meanings.RESTING, meanings.going, _object_of(subject), _object_of(subject)))(draw)
    result = said(subject, phrase, tense, draw.maybe("not", 0.12))
    return condition + comma() + result if draw.chance(0.65) else result + condition


_LIKELY = verbs("buy", "sell", "eat", "drink", "open", "clean", "visit", "help", "call", "look for")


def _object_of(subject):
    """Something one would do."""
    return lambda draw: meanings.about(draw, subject, _LIKELY, pronouns=0.3)


def _rain(draw):
    eng, fra = draw.pick((("rains", "pleut"), ("snows", "neige")))
    tomorrow = fixed("tomorrow", "demain") if draw.chance(0.5) else EMPTY
    return fixed(f"if it {eng}", f"si il {fra}", "1-1 2-2 3-3") + tomorrow, "future"


def _if(draw):
    who = meanings.a_subject(draw)
    clause = Clause(who, meanings.anything(draw, who), "present", draw.maybe("not", 0.3))
    if meanings.ambiguous(clause):
        clause.negation = "not"
    return fixed("if", "si") + clause.pair(), "future"


def _when(draw):
    subject, phrase = (
        meanings.a_subject(draw),
        meanings.doing("arrive", "come back", "leave", "wake up", "get up", "go home")(draw),
    )
    now, later = Clause(subject, phrase, "present"), Clause(subject, phrase, "future")
    return fixed("when", "quand") + Pair(now.english(), later.french()), "future"


def _unreal(draw):
    subject, negation = meanings.a_subject(draw, 0.6), draw.maybe("not", 0.15)
    if draw.chance(0.5):
        adjective = ADJECTIVES[draw.pick(("rich", "sick", "tired", "young", "famous", "ready", "happy", "tall"))]
        return fixed("if", "si") + being(subject, predicate(draw, adjective), "past", negation), "conditional"
    return fixed("if", "si") + said(
        subject, meanings.about(draw, subject, verbs("have")), "past", negation
    ), "conditional"


@kind(4)
def while_doing(draw):
    """ "I was reading when Anna arrived", "When he was young, he used to play football"."""
    if draw.chance(0.35):
        who = meanings.a_single_subject(draw) if draw.chance(0.5) else pronoun(SHE, draw.pick((F, M)))
        same = pronoun_for(who)
        habit = meanings.about(draw, same, meanings.LASTING) if draw.chance(0.6) else meanings.playing(draw)
        young = being(who, predicate(draw, ADJECTIVES["young"], graded=False), "past")
        return fixed("when", "quand") + young + comma() + said(same, habit, "used")
    first, second = meanings.a_subject(draw, 0.5), meanings.a_subject(draw, 0.3)
    phrase = meanings.about(draw, first, meanings.LASTING) if draw.chance(0.6) else meanings.RESTING(draw)
    arrival = draw.pick((meanings.LEAVING, meanings.doing("arrive", "wake up")))(draw)
    return said(first, phrase, "was") + fixed("when", "quand") + said(second, arrival, "past")


# ---- reports


@kind(5)
def reporting(draw):
    """ "I think that he is right" = "Je pense qu'il a raison"."""
    outer = draw.weighted({"think": 4, "know that": 3, "hope": 2, "say": 3})
    subject, about = meanings.a_subject(draw, 0.6), meanings.a_subject(draw, 0.5)
    tense = draw.pick(("past", "present")) if outer == "say" else "present"
    report = _hoped if outer == "hope" else _said if tense == "past" else _thought
    return said(subject, VerbPhrase(VERBS[outer]), tense) + fixed("that", "que") + report(draw, about)


def _hoped(draw, subject):
    return said(subject, draw.pick((_object_or_pronoun, meanings.anything))(draw, subject), "future")


def _said(draw, subject):
    """After "said" all is past: would (lirait), was (était), had read (avait lu)."""
    if draw.chance(0.4):
        return _condition(draw, subject, "past")
    if draw.chance(0.5):
        return said(subject, draw.pick((meanings.RESTING, meanings.going, _object_of(subject)))(draw), "conditional")
    return said(subject, draw.pick((_object_or_pronoun, meanings.anything))(draw, subject), "pluperfect")


def _condition(draw, subject, tense):
    """ "he is tired", "he is right"."""
    if draw.chance(0.65):
        return being(subject, predicate(draw, meanings.an_adjective_about(draw)), tense, draw.maybe("not", 0.2))
    return said(subject, meanings.doing("be hungry", "be right", "be wrong", "be thirsty")(draw), tense)


def _thought(draw, subject):
    if draw.chance(0.5):
        return _condition(draw, subject, "present")
    phrase = draw.pick((_object_or_pronoun, meanings.anything))(draw, subject)
    clause = Clause(subject, phrase, draw.pick(("future", "past", "going")))
    if meanings.ambiguous(clause):
        clause.tense = "future"
    return clause.pair()


@kind(2)
def wondering(draw):
    """ "I don't know if she likes tea" = "Je ne sais pas si elle aime le thé"."""
    outer = said(meanings.a_subject(draw, 0.7), VerbPhrase(VERBS["know that"]), "present", "not")
    subject = meanings.a_subject(draw, 0.6)
    match draw.weighted({"if": 4, "where": 2, "why": 2, "when": 1}):
        case "where":
            return outer + fixed("where", "où") + said(subject, meanings.doing("live", "work")(draw))
        case "when":
            return (
                outer
                + fixed("when", "quand")
                + said(subject, meanings.doing("arrive", "leave", "come back")(draw), "future")
            )
        case "if":
            words = fixed("if", "si")
        case "why":
            words = fixed("why", "pourquoi")
    tense = draw.pick(("perfect", "future"))
    return outer + words + said(subject, meanings.about(draw, subject, meanings.LASTING), tense)


# ---- relative clauses


def _with_relative(draw, person):
    """A definite person or thing with a relative clause: who, that, whose."""
    things = ("small", "clothing", "machine", "vehicle", "reading", "dish", "furniture")
    noun = draw.pick(nouns("person") if person else nouns(*things))
    many = "plural" in noun.tags or (noun.name not in ("king", "queen") and draw.chance(0.2))
    phrase = noun_phrase(noun, "the", many)
    shapes = {_who: 5, _that: 4, _whose: 2} if person else {_that_is_in: 2, _that: 6, _that_needs: 1.5}
    phrase.follows = draw.weighted(shapes)(draw, phrase)
    return phrase


def _relative_subject(antecedent, eng):
    return Name(antecedent.gender, antecedent.many, antecedent.person, fixed(eng, "qui"))


def _who(draw, antecedent):
    """ "who lives in Lyon", "who sold it", "who is tired"."""
    who = _relative_subject(antecedent, "who")
    match draw.weighted({"live": 2, "do": 4, "be": 1}):
        case "live":
            place = draw.pick((adjuncts.in_named, adjuncts.landmark))(draw)
            return said(who, VerbPhrase(VERBS["live"], tail=place))
        case "do":
            phrase = _object_or_pronoun(draw, who)
            tense = draw.pick(("past", "progressive", "present"))
            return meanings.a_clause(draw, who, phrase, tense, negation=None, adverb=False, time=0).pair()
    return being(who, predicate(draw, ADJECTIVES[draw.pick(_FEELINGS)]), draw.pick(("present", "past")))


def _that_is_in(draw, antecedent):
    return being(_relative_subject(antecedent, "that"), placed(adjuncts.inside(draw)))


_UNLIKELY = ("prefer", "like", "love", "have", "know", "look at")


def _that(draw, antecedent):
    """ "that Anna bought" = "qu'Anna a achetée": the participle agrees."""
    possible = [
        v for v in meanings.TRANSITIVE + meanings.GIVING if v.objects & antecedent.noun.tags and not v.preposition
    ]
    action = draw.pick([v for v in possible if v.name not in _UNLIKELY])
    draw.note("object", action.name, antecedent.noun.name)
    subject = meanings.a_subject(draw, 0.5)
    phrase = VerbPhrase(action, gap=antecedent)
    if action.style == "given":
        phrase.recipient = meanings.another_person(draw, subject) if draw.chance(0.6) else meanings.a_given_name(draw)
    clause = Clause(subject, phrase, draw.weighted({"past": 6, "pluperfect": 1, "perfect": 1, "future": 1}))
    if meanings.ambiguous(clause):
        clause.tense = "perfect"
    return fixed("that", "que") + clause.pair()


def _that_needs(draw, antecedent):
    """ "that she needs" = "dont elle a besoin"."""
    return fixed("that", "dont") + said(
        meanings.a_subject(draw, 0.6), VerbPhrase(VERBS["need"]), draw.pick(("present", "past"))
    )


def _whose(draw, antecedent):
    """ "whose daughter is a nurse" = "dont la fille est infirmière"."""
    owned = draw.pick([n for n in nouns("kin", "vehicle", "pet", "home") if not n.tags & {"plural", "taken"}])
    whose, bare = Key(), noun_phrase(owned, "none")
    article = noun_phrase(owned, "generic").french()[0].text
    french = (word("dont", whose), word(article, possible=(whose,), article=True), *bare.french())
    subject = Name(bare.gender, False, SHE, Pair((word("whose", whose), *bare.english()), french))
    if "kin" in owned.tags:
        return being(subject, Job(draw.pick(nouns("job"))))
    return being(subject, predicate(draw, meanings.an_adjective_about(draw, owned)))


@kind(5)
def relative_in_object(draw):
    """ "I know the man who sold you the car."."""
    subject = meanings.a_subject(draw, 0.5)
    thing = _with_relative(draw, draw.chance(0.5))
    styles = ("the", "free", "owned", "new")
    possible = [
        v
        for v in meanings.TRANSITIVE
        if v.objects & thing.noun.tags and v.style in styles and v.name not in ("need", "have")
    ]
    action = draw.pick(possible)
    draw.note("object", action.name, thing.noun.name)
    tense = (
        "present"
        if action.name in meanings.STATES
        else draw.weighted({"past": 5, "present": 1, "future": 1, "perfect": 1})
    )
    clause = Clause(subject, VerbPhrase(action, object=thing), tense, draw.maybe("not", 0.12))
    if meanings.ambiguous(clause):
        clause.tense = "future"
    return clause.pair()


@kind(4)
def relative_in_subject(draw):
    """ "The book that I bought is interesting."."""
    person = draw.chance(0.5)
    subject = _with_relative(draw, person)
    if draw.chance(0.6):
        adjective = meanings.an_adjective_about(draw, None if person else subject.noun)
        return being(subject, predicate(draw, adjective), draw.pick(("present", "past")), draw.maybe("not", 0.15))
    if not person:
        return said(subject, VerbPhrase(VERBS["cost"], object=amount(draw, subject.noun)))
    if draw.chance(0.5) and not subject.many:
        same_sex = [n for n in nouns("kin") if n.gender == subject.gender and "plural" not in n.tags]
        return being(
            subject, NominalPredicate(noun_phrase(draw.pick(same_sex), draw.pick(("my", "his", "her", "our"))))
        )
    return said(subject, meanings.about(draw, subject, meanings.LASTING), draw.pick(("past", "future", "going")))


@kind(2)
def where_relative(draw):
    """ "This is the village where I live" = "C'est le village où j'habite"."""
    place = noun_phrase(
        NOUNS[draw.pick(("town", "village", "house", "street", "school", "hotel", "museum", "restaurant"))], "the"
    )
    subject = meanings.a_subject(draw, 0.5)
    if place.noun.name in ("town", "village", "house", "street"):
        clause = said(subject, VerbPhrase(VERBS["live"]), draw.pick(("present", "past", "used")))
    else:
        clause = said(
            subject, meanings.doing("work", "sleep", "sing", "dance")(draw), draw.pick(("progressive", "past", "used"))
        )
    place.follows = fixed("where", "où") + clause
    if draw.chance(0.5):
        return this_is(place)
    return said(
        meanings.a_subject(draw, 0.5), VerbPhrase(VERBS["see"], object=place), draw.pick(("past", "perfect", "future"))
    )


# ---- several main clauses


class _Silent(Nominal):
    """A subject that was said before: "and sold it"."""

    def english(self, denied=False):
        return ()

    def french(self, denied=False, after_de=False):
        return ()


_FIRST = verbs("buy", "find", "take", "choose", "wash", "repair", "write", "prepare", "look for")
_THEN = verbs(
    "sell",
    "lose",
    "give",
    "show",
    "send",
    "clean",
    "wash",
    "repair",
    "open",
    "close",
    "eat",
    "read",
    "forget",
    "bring",
    "break",
)


@kind(7)
def taken_up(draw):
    """ "Anna found the key and gave it to Paul": what takes it up agrees with it."""
    subject, first = meanings.a_subject(draw), draw.pick(_FIRST)
    thing = draw.pick(
        [n for n in meanings.suitable(first) if not n.tags & {"mass", "animal", "taken"} and _followed(first, n)]
    )
    second = draw.pick(_followed(first, thing))
    draw.note("object", first.name, thing.name)
    draw.note("object", second.name, thing.name)
    taken = _new_or_known(draw, thing)
    it = pronoun_for(taken, thing=not taken.many)
    recipient = None
    if second.style == "given":
        who = (meanings.a_name, meanings.a_relative, lambda d: meanings.another_person(d, subject))
        recipient = draw.pick(who)(draw)
    tense = draw.weighted({"past": 7, "future": 3, "perfect": 1})
    turns = (
        ("and", "et"),
        ("but", "mais") if second.name in ("lose", "break", "forget") else ("and then", "et ensuite", "1-1 2-2"),
    )
    joint = fixed(*draw.pick(turns)) if tense == "past" else fixed("and", "et")
    silent = _Silent(subject.gender, subject.many, subject.person)
    opening = said(subject, VerbPhrase(first, object=taken), tense)
    pair = opening + joint + said(silent, VerbPhrase(second, object=it, recipient=recipient), tense)
    return adjuncts.time_for(draw, tense) + comma() + pair if tense != "perfect" and draw.chance(0.15) else pair


def _followed(first, noun):
    """The verbs that may come next."""
    return tuple(v for v in _THEN if v.objects & noun.tags and v != first)


def _new_or_known(draw, thing):
    many = "plural" in thing.tags or draw.chance(0.3)
    determiner = draw.weighted({"number": 2 * many, "a": 4 * (not many), "the": 3, "this": 1})
    if "plural" in thing.tags:
        determiner = "the"
    return meanings.described(draw, noun_phrase(thing, determiner, many, value=meanings.a_small_number(draw)), 0.35)


@kind(7)
def contrast(draw):
    """Two clauses with "and" or "but"."""
    first, second = meanings.a_subject(draw), meanings.a_subject(draw)
    joint = comma() + fixed("but", "mais") if draw.chance(0.6) else fixed("and", "et")
    return _plain(draw, first) + joint + _plain(draw, second)


def _plain(draw, subject):
    match draw.weighted({"object": 5, "go": 2, "like": 3, "be": 2}):
        case "object":
            return meanings.a_clause(draw, subject, meanings.about(draw, subject, meanings.ACTIONS), time=0.3).pair()
        case "go":
            return meanings.a_clause(draw, subject, meanings.going(draw), draw.pick(("past", "future", "going"))).pair()
        case "like":
            liking = verbs("like", "love", "prefer", "need", "have", "know")
            return said(subject, meanings.about(draw, subject, liking), "present", draw.maybe("not", 0.25))
        case "be":
            return state(draw, subject, meanings.an_adjective_about(draw))


@kind(9)
def long_story(draw):
    """Two or three of these sentences in one, up to 40 words."""
    parts = (because, taken_up, relative_in_object, while_doing, reporting, transitive_with_place, with_infinitive)
    story = draw.pick(parts)(draw)
    for _ in range(draw.between(1, 3)):
        joint = draw.pick((("and", "et"), ("but", "mais")))
        following = draw.pick((*parts, going_somewhere, giving))(draw)
        story = story + comma() + fixed(*joint) + following
    return opened(draw, story, 0.2)
