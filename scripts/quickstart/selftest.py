"""Examples written by hand, and what must hold for every sentence."""

from . import corpus, french
from .clauses import Clause, VerbPhrase, asking, what, yes_no
from .described import Job, NominalPredicate, predicate, this_is
from .draw import Draw
from .english import I, SHE, THEY, WE, YOU
from .kinds import KINDS, being, finished, sentence
from .lexicon import ADJECTIVES, F, M, NOUNS, VERBS
from .phrases import couple, hundreds, name, noun_phrase, preposition, pronoun
from .questions import forbidden, imperative
from .words import Pair, fixed, tokens

_HE, _SHE_ = pronoun(SHE), pronoun(SHE, F)
_IT, _IT_F, _THEM = pronoun(SHE, M, thing=True), pronoun(SHE, F, thing=True), pronoun(THEY)


def _np(noun, determiner, many=False, **more):
    adjectives = {place: ADJECTIVES[more.pop(place)] for place in ("before", "after") if place in more}
    return noun_phrase(NOUNS[noun], determiner, many, **adjectives, **more)


def _vp(verb, thing=None, **more):
    return VerbPhrase(VERBS[verb], object=thing, **more)


def _say(subject, phrase, *rest):
    return Clause(subject, phrase, *rest).pair()


def _anna():
    return name("Anna", F)


def _book_that(clause_subject):
    book = _np("letter", "the")
    book.follows = fixed("that", "que") + _say(clause_subject, VerbPhrase(VERBS["write"], gap=book), "past")
    return book


def _how_many_apples():
    apples = _np("apple", "none", True)
    question = fixed("how many", "combien de", "1-1 2-1 2p2") + Pair(apples.english(), apples.french())
    return asking(question, Clause(pronoun(YOU), VerbPhrase(VERBS["buy"], gap=apples), "past"))


# A maker, the end mark, the English, the French, the links: 1-based, English first, p for possible.
EXAMPLES = (
    # not = ne ... pas, clitic before the verb
    (
        lambda: _say(pronoun(I), _vp("see", _IT), "present", "not"),
        ".",
        "I don't see it.",
        "Je ne le vois pas.",
        "1-1 2-2 2p4 2-5 3-4 4-3 5-6",
    ),
    # two clitics, agreement of the participle with the one before it
    (
        lambda: _say(pronoun(I), VerbPhrase(VERBS["give"], object=_IT_F, recipient=_HE), "past", "not"),
        ".",
        "I didn't give it to him.",
        "Je ne la lui ai pas donnée.",
        "1-1 2-2 2p5 2-6 3p5 3-7 4-3 5p4 6-4 7-8",
    ),
    (
        lambda: _say(_HE, VerbPhrase(VERBS["give"], object=_np("book", "a"), recipient=pronoun(I)), "future"),
        ".",
        "He will give me a book.",
        "Il me donnera un livre.",
        "1-1 2p3 3-3 4-2 5-4 6-5 7-6",
    ),
    # adjectives before and after the noun, and their forms
    (
        lambda: _say(_SHE_, _vp("have", _np("house", "a", before="beautiful", after="white"))),
        ".",
        "She has a beautiful white house.",
        "Elle a une belle maison blanche.",
        "1-1 2-2 3-3 4-4 5-6 6-5 7-7",
    ),
    (
        lambda: this_is(_np("friend", "my", before="old")),
        ".",
        "This is my old friend.",
        "C'est mon vieil ami.",
        "1-1 2-2 3-3 4-4 5-5 6-6",
    ),
    (
        lambda: this_is(_np("tree", "a", True, before="beautiful")),
        ".",
        "These are beautiful trees.",
        "Ce sont de beaux arbres.",
        "1-1 2-2 3-4 4p3 4-5 5-6",
    ),
    (
        lambda: _say(_HE, _vp("see", _np("school", "my"))),
        ".",
        "He sees my school.",
        "Il voit mon école.",
        "1-1 2-2 3-3 4-4 5-5",
    ),
    (
        lambda: _say(_HE, _vp("see", _np("hero", "this"))),
        ".",
        "He sees this hero.",
        "Il voit ce héros.",
        "1-1 2-2 3-3 4-4 5-5",
    ),
    (
        lambda: _say(_HE, _vp("see", _np("hotel", "this"))),
        ".",
        "He sees this hotel.",
        "Il voit cet hôtel.",
        "1-1 2-2 3-3 4-4 5-5",
    ),
    # one word for several and the other way round
    (
        lambda: _say(pronoun(WE), _vp("look for", _np("potato", "number", True, value=(3,))), "progressive"),
        ".",
        "We are looking for three potatoes.",
        "Nous cherchons trois pommes de terre.",
        "1-1 2p2 3-2 4-2 5-3 6-4 6-5 6-6 7-7",
    ),
    (
        lambda: _say(_anna(), _vp("need", _np("washing machine", "a")), "past"),
        ".",
        "Anna needed a washing machine.",
        "Anna avait besoin d'une machine à laver.",
        "1-1 2-2 2-3 2p4 3-5 4p7 4-8 5-6 6-9",
    ),
    # partitives, and what negation makes of them
    (
        lambda: _say(_HE, _vp("drink", _np("water", "bare"))),
        ".",
        "He drinks water.",
        "Il boit de l'eau.",
        "1-1 2-2 3p3 3p4 3-5 4-6",
    ),
    (
        lambda: _say(_HE, _vp("drink", _np("water", "some")), "past", "not"),
        ".",
        "He didn't drink any water.",
        "Il n'a pas bu d'eau.",
        "1-1 2-2 2p3 2-4 3p3 3-5 4-6 5-7 6-8",
    ),
    (
        lambda: _say(_HE, _vp("eat", _np("bread", "bare")), "present", "only"),
        ".",
        "He only eats bread.",
        "Il ne mange que du pain.",
        "1-1 2-2 2-4 3-3 4p5 4-6 5-7",
    ),
    # tenses
    (
        lambda: _say(_SHE_, _vp("go", tail=fixed("to the market", "au marché", "1-1 2-1 3-2")), "used"),
        ".",
        "She used to go to the market.",
        "Elle allait au marché.",
        "1-1 2p2 3p2 4-2 5-3 6-3 7-4 8-5",
    ),
    (
        lambda: _say(_SHE_, _vp("arrive"), "just"),
        ".",
        "She has just arrived.",
        "Elle vient d'arriver.",
        "1-1 2p2 2p3 3-2 3p3 4-4 5-5",
    ),
    (
        lambda: _say(
            _SHE_,
            _vp(
                "live",
                tail=fixed("here", "ici") + preposition("for", "depuis", _np("year", "number", True, value=(2,))),
            ),
            "since",
        ),
        ".",
        "She has lived here for two years.",
        "Elle habite ici depuis deux ans.",
        "1-1 2p2 3-2 4-3 5-4 6-5 7-6 8-7",
    ),
    (
        lambda: _say(couple(_anna(), name("Emma", F)), _vp("get up"), "past"),
        ".",
        "Anna and Emma got up.",
        "Anna et Emma se sont levées.",
        "1-1 2-2 3-3 4p4 4p5 4-6 5p4 5p5 5-6 6-7",
    ),
    (
        lambda: _say(_book_that(_HE), _vp("be", predicate=predicate(Draw(0), ADJECTIVES["long"], graded=False))),
        ".",
        "The letter that he wrote is long.",
        "La lettre qu'il a écrite est longue.",
        "1-1 2-2 3-3 4-4 5p5 5-6 6-7 7-8 8-9",
    ),
    # infinitives
    (
        lambda: _say(pronoun(WE), VerbPhrase(VERBS["have to"], complement=_vp("sell", _THEM)), "future"),
        ".",
        "We will have to sell them.",
        "Nous devrons les vendre.",
        "1-1 2p2 3-2 4-2 5-4 6-3 7-5",
    ),
    (
        lambda: _say(_HE, VerbPhrase(VERBS["forget to"], complement=_vp("close", _np("window", "the"))), "past"),
        ".",
        "He forgot to close the window.",
        "Il a oublié de fermer la fenêtre.",
        "1-1 2p2 2-3 3-4 4-5 5-6 6-7 7-8",
    ),
    # questions
    (
        lambda: yes_no(Clause(pronoun(YOU), _vp("like", _np("egg", "generic", True)))),
        "?",
        "Do you like eggs?",
        "Est-ce que vous aimez les œufs ?",
        "1-1 1-2 1p4 2-3 3-4 4p5 4-6 5-7",
    ),
    (
        lambda: asking(fixed("why", "pourquoi"), Clause(_anna(), _vp("cry"), "progressive")),
        "?",
        "Why is Anna crying?",
        "Pourquoi Anna pleure-t-elle ?",
        "1-1 2p3 3-2 3p3 4-3 5-4",
    ),
    (
        lambda: what(Clause(pronoun(YOU), _vp("read"), "past")),
        "?",
        "What did you read?",
        "Qu'avez-vous lu ?",
        "1-1 2p2 3-2 4p2 4-3 5-4",
    ),
    (
        _how_many_apples,
        "?",
        "How many apples did you buy?",
        "Combien de pommes avez-vous achetées ?",
        "1-1 2-1 2p2 3-3 4p4 5-4 6p4 6-5 7-6",
    ),
    # orders
    (
        lambda: imperative(VerbPhrase(VERBS["give"], object=_IT, recipient=pronoun(I))),
        ".",
        "Give it to me.",
        "Donnez-le-moi.",
        "1-1 2-1 3p1 4-1 5-2",
    ),
    (
        lambda: forbidden(_vp("listen to", _HE)),
        "!",
        "Don't listen to him!",
        "Ne l'écoutez pas !",
        "1-1 1p3 1-4 2-3 3-3 4-2 5-5",
    ),
    # owners, superlatives, jobs
    (
        lambda: _say(_HE, _vp("visit", _np("house", "owner", value=_np("baker", "the"))), "past"),
        ".",
        "He visited the baker's house.",
        "Il a visité la maison du boulanger.",
        "1-1 2p2 2-3 3-6 4p4 4-6 4-7 5p4 5-5 6-8",
    ),
    (
        lambda: this_is(
            _np("car", "the", after="expensive", degree="most", follows=preposition("in", "de", _np("village", "the")))
        ),
        ".",
        "This is the most expensive car in the village.",
        "C'est la voiture la plus chère du village.",
        "1-1 2-2 3-3 4p5 4-6 5-7 6-4 7-8 8-8 9-9 10-10",
    ),
    (
        lambda: being(_np("aunt", "my"), Job(NOUNS["baker"])),
        ".",
        "My aunt is a baker.",
        "Ma tante est boulangère.",
        "1-1 2-2 3-3 4p4 5-4 6-5",
    ),
    (
        lambda: being(_SHE_, NominalPredicate(_np("girl", "the", degree="most", before="tall"))),
        ".",
        "She is the tallest girl.",
        "Elle est la plus grande fille.",
        "1-1 2-2 3-3 4-4 4-5 5-6 6-7",
    ),
    # numbers, dates
    (
        lambda: fixed("it costs", "cela coûte", "1-1 2-2") + hundreds(2, 50) + fixed("euros", "euros"),
        ".",
        "It costs two hundred and fifty euros.",
        "Cela coûte deux cent cinquante euros.",
        "1-1 2-2 3-3 4-4 6-5 7-6 8-7",
    ),
    (
        lambda: _say(_HE, _vp("arrive", tail=fixed("on 1 June", "le 1er juin", "1-1 2-2 3-3")), "past"),
        ".",
        "He arrived on 1 June.",
        "Il est arrivé le 1er juin.",
        "1-1 2p2 2-3 3-4 4-5 5-6 6-7",
    ),
)

_NUMBERS = {
    1: "un", 16: "seize", 17: "dix-sept", 21: "vingt et un", 31: "trente et un", 69: "soixante-neuf", 70: "soixante-dix",
    71: "soixante et onze", 72: "soixante-douze", 80: "quatre-vingts", 81: "quatre-vingt-un", 90: "quatre-vingt-dix",
    91: "quatre-vingt-onze", 99: "quatre-vingt-dix-neuf",
}  # fmt: skip
_FORMS = {
    ("manger", "imperfect", WE): "mangions", ("commencer", "imperfect", THEY): "commençaient", ("acheter", "future", SHE): "achètera",
    ("appeler", "conditional", YOU): "appelleriez", ("envoyer", "future", I): "enverrai", ("finir", "imperfect", SHE): "finissait",
    ("vendre", "future", WE): "vendrons", ("faire", "imperfect", I): "faisais", ("être", "imperfect", THEY): "étaient",
    ("avoir", "conditional", SHE): "aurait", ("comprendre", "imperfect", WE): "comprenions", ("nettoyer", "future", SHE): "nettoiera",
}  # fmt: skip


def run(sentences=4000):
    """All faults found, as lines; none if all is well."""
    return [*_example_faults(), *_form_faults(), *_sentence_faults(sentences), *_split_faults()]


def _example_faults():
    for make, mark, english, french_line, links in EXAMPLES:
        s = finished(make(), mark)
        for found, wanted in ((s.english, english), (s.french, french_line), (corpus.talp(s.links), links)):
            if found != wanted:
                yield f"example {english!r}: got {found!r}, expected {wanted!r}"


def _form_faults():
    for value, wanted in _NUMBERS.items():
        if (found := french.number_below_100(value)) != wanted:
            yield f"number {value}: got {found!r}, expected {wanted!r}"
    for (verb, tense, person), wanted in _FORMS.items():
        if (found := getattr(french.french_verb(verb), tense)(person)) != wanted:
            yield f"{verb}, {tense}, person {person}: got {found!r}, expected {wanted!r}"


def _sentence_faults(count):
    """What must hold for every sentence that the grammar can make."""
    draw, translations, kinds = Draw(7), {}, set()
    for _ in range(count):
        s = sentence(draw)
        kinds.add(s.kind)
        yield from (f"{s.kind}: {fault}: {s.english} | {s.french}" for fault in faults_of(s))
        if translations.setdefault(s.english, s.french) != s.french:
            yield f"two translations of {s.english!r}: {s.french!r}, {translations[s.english]!r}"
    yield from (f"no sentence of the kind {kind}" for kind in KINDS.keys() - kinds)


def faults_of(s):
    if tokens(s.english, french=False) != list(s.english_words) or tokens(s.french, french=True) != list(
        s.french_words
    ):
        yield "the line does not split into its words"
    linked = {("en", i) for i, _, _ in s.links} | {("fr", j) for _, j, _ in s.links}
    for language, words in (("en", s.english_words), ("fr", s.french_words)):
        for i, text in enumerate(words):
            if ((language, i) in linked) == ((language, i) in s.alone):
                yield f"{text!r} is neither linked nor declared to be alone"


def _split_faults():
    """A small corpus: dev and test share no side with train, have no word that train lacks, and what is unseen is unseen."""
    sizes = {"train": 2000, "dev": 20, "test": 40}
    built = corpus.build(3, sizes, rare=1)
    train = built.sets["train"]
    counts, lines = corpus.word_counts(train), {side for s in train for side in corpus.sides(s)}
    seen = {combination for s in train for combination in s.combinations}
    for part in ("dev", "test"):
        unseen = 0
        for s in built.sets[part]:
            unseen += not s.combinations <= seen
            if lines.intersection(corpus.sides(s)):
                yield f"a side of {part} is in train: {s.english} | {s.french}"
            if any(counts[w] < 1 for w in corpus.words(s)):
                yield f"a word of {part} is rare in train: {s.english} | {s.french}"
        if unseen < built.unseen[part]:
            yield f"{part} has {unseen} sentences with unseen combinations, not {built.unseen[part]}"
