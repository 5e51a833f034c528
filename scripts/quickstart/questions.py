"""Questions and orders."""

from . import adjuncts, meanings
from .clauses import Clause, VerbPhrase, asking, subject_words, what, yes_no
from .described import NATIONAL, found_somewhere, predicate
from .english import I, SHE, THEY, WE, YOU
from .kinds import comma, kind, said, verbs
from .lexicon import M, VERBS, nouns
from .phrases import Name, Pronoun, noun_phrase, preposition, pronoun
from .statements import infinitive
from .words import Key, Pair, fixed, merge, word

# ---- yes or no


def asked_about(draw, pronouns=0.65):
    """Somebody to ask about: often you, never I."""
    subject = meanings.a_subject(draw, pronouns)
    return pronoun(YOU) if subject.person == I or isinstance(subject, Pronoun) and draw.chance(0.3) else subject


@kind(6, "?")
def yes_or_no(draw):
    """ "Did Anna call you?" = "Est-ce qu'Anna vous a appelé ?"."""
    subject = asked_about(draw)
    if draw.chance(0.3):
        states = verbs("know", "like", "need", "be afraid of", "have", "remember", "prefer")
        return yes_no(Clause(subject, meanings.about(draw, subject, states)))
    tense = draw.weighted({"present": 3, "past": 5, "progressive": 3, "perfect": 3, "future": 2, "going": 2})
    return yes_no(Clause(subject, meanings.about(draw, subject, meanings.LASTING, pronouns=0.4), tense))


@kind(2, "?")
def yes_or_no_being(draw):
    adjective = meanings.an_adjective_about(draw)
    phrase = VerbPhrase(VERBS["be"], predicate=predicate(draw, adjective))
    tense = "present" if adjective.name in NATIONAL else draw.pick(("present", "past"))
    return yes_no(Clause(asked_about(draw), phrase, tense))


@kind(2.5, "?")
def polite_request(draw):
    """ "Can you give me the key?" = "Pouvez-vous me donner la clé ?"."""
    outer = draw.pick(("can", "can", "would like", "want"))
    subject = pronoun(draw.pick((YOU, YOU, YOU, SHE, WE, THEY)) if outer == "can" else YOU)
    tense = "conditional" if outer == "would like" else "present"
    return yes_no(Clause(subject, VerbPhrase(VERBS[outer], complement=infinitive(draw, subject, outer)), tense))


@kind(1.5, "?")
def is_there(draw):
    """ "Is there a bank near the park?" = "Y a-t-il une banque près du parc ?"."""
    found, place = found_somewhere(draw, asked=True)
    there, exists = Key(), Key()
    english = (word("are" if found.many else "is", exists), word("there", there), *found.english(), *place.english)
    return Pair(english, (word("y", there), word("a-t-il", exists, there), *found.french(), *place.french))


# ---- where, when, why, what, who


@kind(6, "?")
def where_when_why(draw):
    subject = asked_about(draw)
    return draw.weighted({_where: 4, _when: 3, _why: 4, _how: 1})(draw, subject)


def _where(draw, subject):
    action = draw.pick(("go", "work", "live", "swim", "sleep", "buy", "find"))
    words = fixed("where", "où")
    if action in ("buy", "find"):
        return asking(words, Clause(subject, meanings.about(draw, subject, verbs(action)), "past"))
    tense = "present" if action == "live" else draw.weighted({"past": 5, "future": 2, "progressive": 3, "going": 1})
    return asking(words, Clause(subject, VerbPhrase(VERBS[action]), tense))


_MOVING = meanings.doing("arrive", "leave", "come back", "go home", "get up", "go to bed", "go out")


def _when(draw, subject):
    return asking(
        fixed("when", "quand"), Clause(subject, _MOVING(draw), draw.weighted({"past": 5, "future": 3, "going": 1}))
    )


def _why(draw, subject):
    words, negation = fixed("why", "pourquoi"), draw.maybe("not", 0.2)
    tense = draw.weighted({"past": 5, "future": 1, "progressive": 4})
    match draw.weighted({"alone": 4, "be": 2, "object": 4}):
        case "alone":
            phrase = draw.pick((meanings.RESTING, meanings.doing("leave", "hurry", "get up")))(draw)
        case "be":
            phrase = VerbPhrase(VERBS["be"], predicate=predicate(draw, meanings.an_adjective_about(draw)))
            tense = draw.pick(("present", "past"))
        case "object":
            phrase = meanings.about(draw, subject, meanings.LASTING, pronouns=0.3)
    return asking(words, Clause(subject, phrase, tense, negation))


def _how(draw, subject):
    return asking(
        fixed("how", "comment"), Clause(subject, meanings.going(draw), draw.pick(("past", "future", "present")))
    )


@kind(1.5, "?")
def where_is(draw):
    """ "Where are my keys?" = "Où sont mes clés ?"."""
    thing = draw.pick(nouns("lost", "pet", "container", "building", "clothing"))
    many = "plural" in thing.tags or draw.chance(0.25)
    determiner = "the" if "building" in thing.tags else draw.pick(("the", "my", "my", "his", "her", "our", "your"))
    nominal = noun_phrase(thing, determiner, many)
    english, french = (("is", "are"), ("est", "sont")) if draw.chance(0.75) else (("was", "were"), ("était", "étaient"))
    return fixed(f"where {english[many]}", f"où {french[many]}", "1-1 2-2") + Pair(nominal.english(), nominal.french())


@kind(2, "?")
def what_question(draw):
    """ "What are you reading?" = "Que lisez-vous ?"."""
    action = draw.pick(
        (
            "see",
            "buy",
            "eat",
            "drink",
            "read",
            "write",
            "find",
            "lose",
            "look for",
            "watch",
            "prepare",
            "say",
            "sell",
            "learn",
            "choose",
        )
    )
    phrase = VerbPhrase(VERBS[action])
    if draw.chance(0.4) and action in ("buy", "eat", "find", "see", "drink"):
        phrase.tail = (adjuncts.at_market if action == "buy" else adjuncts.at_place)(draw)
    tense = draw.weighted(
        {"past": 4, "progressive": 4 * (action not in ("find", "lose", "see")), "future": 1, "perfect": 1}
    )
    return what(Clause(asked_about(draw), phrase, tense))


@kind(2.5, "?")
def who_question(draw):
    """ "Who broke the window?" = "Qui a cassé la fenêtre ?"; "Who did you see?" = "Qui avez-vous vu ?"."""
    if draw.chance(0.35):
        phrase = meanings.doing("see", "meet", "help", "invite", "call", "look for", "wait for")(draw)
        tense = "past" if phrase.verb.name in ("see", "meet") else draw.pick(("past", "progressive"))
        return asking(fixed("who", "qui"), Clause(asked_about(draw), phrase, tense))
    who = Name(M, False, SHE, fixed("who", "qui"))
    tense = draw.weighted({"past": 5, "progressive": 2, "future": 1, "going": 1})
    return said(who, meanings.about(draw, pronoun(SHE), meanings.LASTING, pronouns=0.2), tense)


@kind(4, "?")
def how_many_and_which(draw):
    """ "How many apples did you buy?" = "Combien de pommes avez-vous achetées ?"; "Which dress ...?" = "Quelle robe ...?"."""
    action = VERBS[
        draw.pick(
            ("see", "buy", "eat", "read", "write", "find", "lose", "sell", "have", "choose", "take", "open", "watch")
        )
    ]
    thing = draw.pick([n for n in meanings.suitable(action) if not n.tags & {"mass", "plural", "kin"}])
    draw.note("object", action.name, thing.name)
    many = draw.chance(0.65)
    counted = noun_phrase(thing, "none", many)
    if many and draw.chance(0.7):
        question = fixed("how many", "combien de", "1-1 2-1 2p2")
    else:
        question = fixed("which", "quel" + "le" * counted.feminine + "s" * many)
    words = question + Pair(counted.english(), counted.french())
    tense = "present" if action.name == "have" else draw.weighted({"past": 6, "perfect": 1, "future": 2, "going": 1})
    return asking(words, Clause(asked_about(draw), VerbPhrase(action, gap=counted), tense))


@kind(1.5, "?")
def how_old_how_much(draw):
    return draw.weighted({_how_old: 3, _how_much: 4, _what_time: 2})(draw)


def _how_old(draw):
    subject = asked_about(draw, 0.3)
    person = subject_words(subject)
    be, has = ("is", "a") if subject.person == SHE else ("are", "ont")
    if not isinstance(subject, Pronoun):
        return fixed(f"how old {be}", f"quel âge {has}", "1-1 2-2 3-3") + person
    asked, key = fixed("how old", "quel âge", "1-1 2-2"), Key()
    (said_by,) = person.french
    inverted = {SHE: "a-t-", YOU: "avez-", WE: "avons-", THEY: "ont-"}[subject.person] + said_by.text
    return asked + Pair((word(be, key), *person.english), (merge(inverted, word("", key), said_by),))


def _how_much(draw):
    thing = draw.pick(nouns("clothing", "machine", "small", "furniture", "fruit", "vehicle"))
    many = "plural" in thing.tags or draw.chance(0.3)
    subject = meanings.described(draw, noun_phrase(thing, draw.pick(("this", "the")), many), 0.25)
    key = Key()
    english = (word("do" if many else "does", possible=(key,)), *subject.english(), word("cost", key))
    return fixed("how much", "combien") + Pair(english, (word("coûtent" if many else "coûte", key), *subject.french()))


def _what_time(draw):
    if draw.chance(0.3):
        return fixed("what time is it", "quelle heure est-il", "1-1 2-2 3-3 4-3")
    asked = fixed("at what time", "à quelle heure", "1-1 2-2 3-3")
    return asking(asked, Clause(asked_about(draw), _MOVING(draw), draw.pick(("past", "future"))))


# ---- orders


@kind(6)
def order(draw):
    """ "Give it to him, please" = "Donnez-le-lui, s'il vous plaît"."""
    pair = draw.weighted({_do: 5, _do_not: 4, _give: 3, _lets: 3})(draw)
    if draw.chance(0.25):
        return pair + comma() + fixed("please", "s' il vous plaît")
    return pair + comma() + _called(draw) if draw.chance(0.2) else pair


def _called(draw):
    return meanings.a_name(draw).words


_ORDERED = pronoun(YOU)
_ORDERS = verbs(
    "eat", "drink", "take", "open", "close", "clean", "wash", "read", "write", "listen to", "look at", "wait for", "help", "call", "buy",
    "sell", "look for", "finish", "choose", "answer", "phone", "talk to", "forget", "break", "invite", "watch", "learn",
)  # fmt: skip


def _do(draw):
    return imperative(meanings.about(draw, _ORDERED, _ORDERS, pronouns=0.4))


def _do_not(draw):
    return forbidden(meanings.about(draw, _ORDERED, _ORDERS, pronouns=0.4))


def _give(draw):
    return (forbidden if draw.chance(0.3) else imperative)(meanings.giving(draw, _ORDERED))


def imperative(phrase):
    """The pronouns follow the verb, joined by hyphens, the direct one first: "Donnez-le-moi"."""
    finite = word(phrase.verb.french.present[YOU], phrase.head)
    clitics = sorted(phrase.clitics(_ORDERED), key=lambda w: w.text not in ("le", "la", "les"))
    texts = [finite.text, *("moi" if w.text == "me" else w.text for w in clitics)]
    joined = merge("-".join(texts), finite, *clitics) if clitics else finite
    return Pair(phrase.english_words("base"), (joined, *phrase.french_rest(_ORDERED, False)))


def forbidden(phrase):
    """ "Don't open it" = "Ne l'ouvrez pas"."""
    no = Key()
    english = (word("don't", no, possible=(phrase.head,)), *phrase.english_words("base", denied=True))
    finite = word(phrase.verb.french.present[YOU], phrase.head)
    french = (word("ne", no), *phrase.clitics(_ORDERED), finite, word("pas", no), *phrase.french_rest(_ORDERED, True))
    return Pair(english, french)


def _lets(draw):
    """ "Let's go to the cinema" = "Allons au cinéma"."""
    shared = verbs("eat", "drink", "buy", "read", "listen to", "watch", "visit", "invite", "prepare", "choose")
    phrase = meanings.going(draw) if draw.chance(0.5) else meanings.about(draw, pronoun(WE), shared)
    finite = word(phrase.verb.french.present[WE], phrase.head)
    english = (word("let's", possible=(phrase.head,)), *phrase.english_words("base"))
    return Pair(english, (finite, *phrase.french_rest(pronoun(WE), False)))


@kind(1.2, "!")
def exclamation(draw):
    """ "Happy birthday, Anna!", "What a beautiful house!"."""
    return draw.weighted({_wish: 5, _thanks: 3, _what_a: 4})(draw)


_WISHES = (
    ("happy birthday", "joyeux anniversaire", "1-1 2-2"),
    ("good morning", "bonjour", None),
    ("good evening", "bonsoir", None),
    ("good night", "bonne nuit", "1-1 2-2"),
    ("see you tomorrow", "à demain", "1p1 2p1 3-2"),
    ("see you soon", "à bientôt", "1p1 2p1 3-2"),
)


def _wish(draw):
    return fixed(*draw.pick(_WISHES)) + comma() + _called(draw)


def _thanks(draw):
    thing = draw.pick(nouns("gift", "written", "dish", "photo"))
    gift = noun_phrase(thing, draw.pick(("the", "this", "your")), draw.chance(0.3))
    return fixed("thank you", "merci") + preposition("for", "pour", meanings.described(draw, gift, 0.3))


def _what_a(draw):
    wonders = nouns("home", "clothing", "animal", "told", "town", "vehicle", "idea", "dish")
    bare = noun_phrase(draw.pick([n for n in wonders if "plural" not in n.tags]), "none")
    shown = meanings.described(draw, bare, 1.0)
    return fixed("what a", "quelle" if bare.feminine else "quel", "1-1 2p1") + Pair(shown.english(), shown.french())
