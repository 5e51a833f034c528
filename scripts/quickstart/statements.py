"""Plain statements: one clause that tells what somebody does."""

from . import adjuncts, meanings
from .clauses import Clause, VerbPhrase
from .kinds import comma, kind, opened, said, verbs
from .lexicon import M, NOUNS, VERBS
from .english import SHE
from .phrases import Name, couple, noun_phrase, preposition, pronoun
from .words import EMPTY, Pair, fixed, merge


@kind(15)
def transitive(draw):
    subject = meanings.a_subject(draw)
    clause = meanings.a_clause(draw, subject, meanings.about(draw, subject))
    return opened(draw, clause.pair(), 0.08)


@kind(9)
def with_object_pronoun(draw):
    """ "Anna won't open it" = "Anna ne l'ouvrira pas"."""
    subject = meanings.a_subject(draw)
    possible = tuple(
        v
        for v in meanings.TRANSITIVE
        if v.style in ("new", "free", "owned", "the") and v.name not in ("have", "play an instrument")
    )
    return meanings.a_clause(draw, subject, meanings.about(draw, subject, possible, pronouns=1.0)).pair()


@kind(4)
def transitive_with_place(draw):
    subject = meanings.a_subject(draw)
    phrase = meanings.about(draw, subject, verbs(*_PLACED))
    phrase.tail = _PLACED[phrase.verb.name](draw)
    return meanings.a_clause(draw, subject, phrase, time=0.3).pair()


_PLACED = {
    **dict.fromkeys(("buy", "sell"), adjuncts.at_market),
    **dict.fromkeys(("meet", "wait for"), adjuncts.at_place),
    **dict.fromkeys(("eat", "read", "find", "lose", "look for"), adjuncts.somewhere),
}


@kind(3)
def time_first(draw):
    """ "Yesterday, Anna bought a hat."."""
    tense = draw.weighted({"past": 4, "future": 3, "going": 1, "present": 2})
    subject = meanings.a_subject(draw)
    clause = meanings.a_clause(draw, subject, meanings.about(draw, subject, meanings.ACTIONS), tense, time=0)
    return adjuncts.time_for(draw, clause.tense) + comma() + clause.pair()


@kind(6)
def giving(draw):
    """ "Paul gave it to her" = "Paul le lui a donné"."""
    subject = meanings.a_subject(draw)
    tense = draw.weighted({"past": 8, "future": 4, "perfect": 3, "going": 3, "present": 2, "progressive": 2})
    return meanings.a_clause(draw, subject, meanings.giving(draw, subject), tense).pair()


@kind(4)
def intransitive(draw):
    subject = meanings.a_subject(draw)
    phrase = draw.pick((meanings.RESTING, meanings.RESTING, meanings.doing("swim")))(draw)
    tense = None
    match draw.weighted({"place": 4, "manner": 3, "with": 2, "duration": 2}):
        case "place":
            phrase.tail = _in_water(draw) if phrase.verb.name == "swim" else adjuncts.somewhere(draw)
        case "manner":
            phrase.tail = _manner(draw, subject, phrase.verb.name)
            tense = draw.pick(("present", "progressive", "future", "used", "was"))  # else "a beaucoup dormi"
        case "with":
            phrase.tail = company(draw, subject)
        case "duration":
            phrase.tail, tense = adjuncts.during(draw), "past"
    return meanings.a_clause(
        draw, subject, phrase, tense, negation=None if tense else "draw", time=0 if tense else 0.3
    ).pair()


def _in_water(draw):
    return preposition("in", "dans", noun_phrase(NOUNS[draw.pick(("sea", "lake", "river"))], "the"))


def _manner(draw, subject, action):
    if subject.many and draw.chance(0.4):
        return fixed("together", "ensemble")
    if action in ("laugh", "cry", "sleep"):
        return fixed("a lot", "beaucoup")
    return fixed(*draw.pick(adjuncts.SPEEDS if action in ("run", "swim") else adjuncts.MANNERS))


def company(draw, subject):
    """ "with Anna", "with them"."""
    companion = meanings.another_person(draw, subject) if draw.chance(0.4) else _known_person(draw)
    return preposition("with", "avec", companion)


def _known_person(draw):
    return draw.pick((meanings.a_given_name, meanings.a_relative))(draw)


@kind(8)
def going_somewhere(draw):
    subject = meanings.a_subject(draw)
    action = draw.weighted(
        {
            "go": 6,
            "arrive": 2,
            "come back": 3,
            "leave": 2,
            "go out": 2,
            "stay": 2,
            "go home": 2,
            "come": 2,
            "travel": 1,
            "fall": 1,
        }
    )
    tense = draw.weighted(
        {
            "past": 9,
            "future": 4,
            "progressive": 3,
            "going": 2,
            "perfect": 2,
            "present": 3,
            "just": 1,
            "pluperfect": 1,
            "used": 1,
        }
    )
    if action in ("arrive", "come", "fall") and tense in ("progressive", "used", "going"):
        tense = "past"
    phrase = VerbPhrase(VERBS[action], tail=_direction(draw, action, subject))
    return opened(draw, meanings.a_clause(draw, subject, phrase, tense, time=0.45).pair(), 0.05)


def _direction(draw, action, subject):
    match action:
        case "go":
            return adjuncts.to_place(draw) + (fixed(*draw.pick(adjuncts.MEANS)) if draw.chance(0.25) else EMPTY)
        case "come" | "come back":
            return adjuncts.from_named(draw)
        case "arrive":
            return adjuncts.at_clock(draw) if draw.chance(0.6) else adjuncts.at_place(draw)
        case "leave":
            return adjuncts.at_clock(draw)
        case "stay":
            return adjuncts.at_place(draw) + (adjuncts.during(draw) if draw.chance(0.4) else EMPTY)
        case "travel":
            return company(draw, subject) + fixed(*draw.pick(adjuncts.MEANS[:4]))
        case "go out":
            return company(draw, subject)
        case "go home":
            return fixed(*draw.pick(adjuncts.MEANS)) if draw.chance(0.5) else adjuncts.at_clock(draw)
        case "fall":
            return fixed(*draw.pick(adjuncts.FALLS))
    raise KeyError(action)


@kind(3)
def living(draw):
    subject = meanings.a_subject(draw)
    tail = adjuncts.in_named(draw) if draw.chance(0.6) else adjuncts.landmark(draw)
    tense = draw.pick(("present", "past", "used", "going"))
    return meanings.a_clause(draw, subject, VerbPhrase(VERBS["live"], tail=tail), tense, time=0).pair()


@kind(2.5)
def since(draw):
    """ "Anna has lived here for two years" = "Anna habite ici depuis deux ans"."""
    here = fixed("here", "ici") if draw.chance(0.3) else adjuncts.in_named(draw)
    phrase = VerbPhrase(VERBS[draw.pick(("live", "work"))], tail=here + adjuncts.since(draw))
    return said(meanings.a_subject(draw), phrase, "since")


@kind(4)
def daily_routine(draw):
    """ "He gets up at half past six" = "Il se lève à six heures et demie"."""
    subject = meanings.a_subject(draw)
    action = draw.pick(("get up", "go to bed", "wake up", "get dressed", "hurry", "go for a walk"))
    phrase = VerbPhrase(VERBS[action])
    if action == "go for a walk":
        phrase.tail = fixed(*draw.pick(adjuncts.WALKS)) if draw.chance(0.5) else company(draw, subject)
    elif action == "get dressed":
        phrase.tail = fixed("quickly", "vite")
    elif action != "hurry":
        phrase.tail = adjuncts.at_clock(draw)
    tense = draw.weighted({"present": 4, "past": 5, "future": 3, "used": 2, "going": 2})
    return meanings.a_clause(draw, subject, phrase, tense, adverb=action != "hurry").pair()


@kind(2)
def hungry(draw):
    """ "She isn't hungry" = "Elle n'a pas faim"."""
    phrase = meanings.doing("be hungry", "be thirsty", "be right", "be wrong")(draw)
    return opened(
        draw, said(meanings.a_subject(draw), phrase, draw.pick(("present", "past")), draw.maybe("not", 0.3)), 0.1
    )


@kind(1)
def called(draw):
    """ "The dog is called Rex": names link with names."""
    if draw.chance(0.4):
        owner = noun_phrase(draw.pick(meanings.nouns("pet")), draw.pick(("my", "his", "her", "our", "your", "their")))
        who = fixed(*[draw.pick(("Rex", "Mimi", "Toto"))] * 2)
    else:
        owner = draw.pick((meanings.a_relative, meanings.a_person))(draw)
        while owner.many:
            owner = draw.pick((meanings.a_relative, meanings.a_person))(draw)
        who = meanings.a_given_name(draw, owner.gender).words
    return said(owner, VerbPhrase(VERBS["be called"], tail=who), draw.pick(("present", "present", "past")))


@kind(3)
def only_nothing_nobody(draw):
    """ "We drink only water" = "Nous ne buvons que de l'eau"; ne ... rien, ne ... personne."""
    subject = meanings.a_subject(draw)
    shape = draw.weighted({"only": 3, "nothing": 2, "nobody": 2})
    action = VERBS[draw.pick(_DENIABLE[shape])]
    phrase = meanings.about(draw, subject, (action,)) if shape == "only" else VerbPhrase(action)
    if phrase.object and phrase.object.determiner == "some":  # not "only some bread"
        phrase.object.determiner = "bare" if "mass" in phrase.object.noun.tags else "a"
    tense = draw.weighted({"past": 4, "present": 4, "perfect": 1, "future": 2})
    return meanings.a_clause(draw, subject, phrase, tense, negation=shape, adverb=False).pair()


_DENIABLE = {
    "only": ("eat", "drink", "buy", "sell", "speak"),
    "nothing": ("see", "buy", "eat", "drink", "say", "find", "forget", "understand", "hear", "lose", "sell"),
    "nobody": ("see", "meet", "help", "invite", "call", "look for", "wait for"),
}


@kind(2)
def everybody_nobody(draw):
    """ "Nobody knows this song" = "Personne ne connaît cette chanson"."""
    who = draw.pick((("nobody", "personne"), ("everybody", "tout le monde"), ("somebody", "quelqu'un")))
    subject = Name(M, False, SHE, fixed(*who))
    phrase = meanings.about(draw, pronoun(SHE), tuple(v for v in meanings.ACTIONS if v.style in ("the", "free")))
    tense = draw.weighted({"past": 4, "present": 3 * (who[0] != "somebody"), "future": 2, "perfect": 1})
    pair = meanings.a_clause(draw, subject, phrase, tense, negation=None, adverb=False, time=0).pair()
    if who[0] != "nobody":
        return pair
    person, *rest = pair.french
    return Pair(pair.english, (person, merge("ne", person), *rest))


@kind(8)
def with_infinitive(draw):
    """ "She has to sell it" = "Elle doit le vendre"."""
    subject = meanings.a_subject(draw)
    outer = draw.weighted({name: weight for name, (weight, _) in _OUTER.items()})
    tense = draw.weighted(_OUTER[outer][1])
    negation = draw.maybe("not", 0.25) if outer in _DENIED else None
    return said(subject, VerbPhrase(VERBS[outer], complement=infinitive(draw, subject, outer)), tense, negation)


_DOING = {"past": 4, "perfect": 1, "progressive": 1, "future": 1, "going": 1}
_OUTER = {  # what goes before an infinitive: weight and tenses
    "want": (6, {"present": 5, "past": 3}),
    "can": (6, {"present": 1}),
    "must": (5, {"present": 1}),
    "have to": (4, {"present": 2, "past": 2, "future": 2}),
    "would like": (4, {"conditional": 1}),
    "know how": (2, {"present": 1}),
    "hope": (2, {"present": 1}),
    "prefer": (1, {"present": 1}),
    "like": (2, {"present": 1}),
    "start": (2, _DOING),
    "learn to": (1.5, {"past": 2, "progressive": 3}),
    "try": (3, _DOING),
    "decide": (2.5, {"past": 5, "perfect": 1}),
    "forget to": (2, {"past": 5, "perfect": 1}),
    "need": (2, {"present": 3, "past": 1}),
    "be able to": (1.5, {"future": 1}),
}
_DENIED = ("want", "can", "must", "know how", "like", "be able to", "need")


def infinitive(draw, subject, outer):
    """What one can want, learn or try to do."""
    if outer in ("know how", "learn to"):
        return draw.pick((meanings.playing, meanings.doing("swim", "dance", "read"), _handling))(draw)
    pleasant = outer in ("like", "prefer", "start")
    match draw.weighted(
        {"object": 6, "pronoun": 4 * (not pleasant), "giving": 2 * (not pleasant), "go": 3, "alone": 3}
    ):
        case "object":
            return meanings.about(draw, subject, meanings.LASTING)
        case "pronoun":
            return meanings.about(draw, subject, meanings.LASTING, pronouns=1.0)
        case "giving":
            return meanings.giving(draw, subject)
        case "go":
            return meanings.going(draw)
        case "alone":
            other = meanings.doing(
                "get up", "go to bed", "hurry", "get dressed", "go for a walk", "leave", "go home", "go out"
            )
            return draw.pick((meanings.RESTING, meanings.RESTING if pleasant else other))(draw)


def _handling(draw):
    """ "drive a car", "repair bicycles"."""
    action = VERBS[draw.pick(("drive", "repair"))]
    return VerbPhrase(action, object=noun_phrase(draw.pick(meanings.suitable(action)), "a", draw.chance(0.3)))


@kind(3)
def shopping_list(draw):
    """ "I bought bread, three potatoes and a red apple at the market."."""
    subject = meanings.a_subject(draw)
    action = VERBS[draw.pick(("buy", "buy", "eat", "sell"))]
    foods = list(meanings.nouns("fruit", "food", "dish"))
    items = []
    for _ in range(draw.between(2, 5)):
        chosen = foods.pop(int(draw.between(0, len(foods) - 1)))
        draw.note("object", action.name, chosen.name)
        items.append(meanings.object_phrase(draw, chosen, "new", subject))
    tense = draw.pick(("past", "past", "future", "going"))
    tail = EMPTY
    if draw.chance(0.6):
        tail = (adjuncts.at_place if action.name == "eat" else adjuncts.at_market)(draw)
    pair = Clause(subject, VerbPhrase(action, object=couple(*items), tail=tail), tense).pair()
    return adjuncts.time_for(draw, tense) + comma() + pair if draw.chance(0.4) else pair


@kind(2.5)
def before_and_without(draw):
    """ "before leaving" = "avant de partir", "without eating" = "sans manger", "in order to buy" = "pour acheter"."""
    subject = meanings.a_subject(draw)
    shape = draw.pick(("before", "without", "in order to"))
    main = meanings.LEAVING(draw) if shape != "before" else meanings.anything(draw, subject)
    if shape == "without":
        names = ("eat", "drink", "close", "open", "read", "finish", "answer", "wait for")
        inner = meanings.about(draw, subject, verbs(*names)) if draw.chance(0.7) else meanings.RESTING(draw)
        if getattr(inner.object, "determiner", None) in ("a", "bare", "some"):
            inner.object.determiner = "the"
    else:
        inner = infinitive(draw, subject, "start")
    links = {"before": ("avant de", "1-1 1p2"), "without": ("sans", None), "in order to": ("pour", None)}
    english = inner.english_words("base" if shape == "in order to" else "ing")
    purpose = fixed(shape, *links[shape]) + Pair(english, inner.french_infinitive(subject))
    return said(subject, main, draw.weighted({"past": 6, "future": 2, "going": 1, "perfect": 1})) + purpose
