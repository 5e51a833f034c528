"""Clauses: tense, negation, clitic pronouns, agreement of participles, questions.

tense          English              French
present        reads                lit
progressive    is reading           lit
past           read                 a lu, or lisait for verbs of state
perfect        has read             a lu
since          has lived (for)      habite (depuis)
pluperfect     had read             avait lu
was            was reading          lisait
used           used to read         lisait
future         will read            lira
conditional    would read           lirait
going          is going to read     va lire
just           has just read        vient de lire
"""

from dataclasses import dataclass, field, replace

from . import english
from .english import I, SHE, THEY, WE, YOU
from .french import agree
from .lexicon import VERBS, Verb
from .phrases import Nominal, Pronoun, pronoun_for
from .words import EMPTY, Key, Pair, fixed, merge, word

_SIMPLE = {
    "present": "present", "progressive": "present", "since": "present", "used": "imperfect", "was": "imperfect", "future": "future",
    "conditional": "conditional",
}  # fmt: skip
_COMPOUND = {"past": "present", "perfect": "present", "pluperfect": "imperfect"}
_SEMI = {"going": VERBS["go"].french, "just": VERBS["come"].french}
_AVOIR, _ETRE = VERBS["have"].french, VERBS["be"].french
_MODALS = ("can", "must")
_NO_TO = ("can", "must", "have to", "be able to")
_REFLEXIVE = {I: "me", SHE: "se", WE: "nous", YOU: "vous", THEY: "se"}
_DENYING = ("not", "never", "no longer")

# The second half of each negation in French; the first is ne.
NEGATIONS = {
    "not": "pas", "never": "jamais", "no longer": "plus", "nothing": "rien", "nobody": "personne", "only": "que",
}  # fmt: skip


@dataclass
class Adjectival:
    """ "tired", "more expensive than a car": a predicate that agrees with the subject."""

    english_words: tuple
    make_french: object  # from the subject to words
    follows: Pair = EMPTY

    def english(self):
        return (*self.english_words, *self.follows.english)

    def french(self, subject):
        return (*self.make_french(subject), *self.follows.french)


@dataclass
class VerbPhrase:
    """A verb with its objects and what else follows it.

    `gap` is the nominal that a relative pronoun or a question word stands for as the direct object: participles agree with it.
    """

    verb: Verb
    object: Nominal | None = None
    recipient: Nominal | None = None
    predicate: object = None
    complement: "VerbPhrase | None" = None
    tail: Pair = EMPTY
    gap: Nominal | None = None
    head: Key = field(default_factory=Key)
    auxiliary: Key = field(default_factory=Key)
    particle: Key = field(default_factory=Key)
    preposition: Key = field(default_factory=Key)
    to: Key = field(default_factory=Key)

    # ---- English

    def english_words(self, form, denied=False, object_word=None):
        """The verb in a form ("base", "third", "past", "participle", "ing") and all that follows it."""
        return (*self._english_head(form), *self.english_rest(denied, object_word))

    def _english_head(self, form):
        return (self.english_finite(getattr(self.verb.english, form)),)

    def english_finite(self, text):
        if self.verb.is_be and self.verb.french.infinitive not in ("être", "avoir"):
            return word(text, possible=(self.head,))
        return word(text, self.head)

    def english_rest(self, denied, object_word=None):
        objects = self._english_objects(denied, object_word)
        predicate = self.predicate.english() if self.predicate else ()
        return (*self._english_tail(), *objects, *predicate, *self._english_complement(denied), *self.tail.english)

    def _english_tail(self):
        tail = [word(text, self._tail_key()) for text in self.verb.english_tail]
        if tail and self.verb.preposition and self._english_preposition:
            tail[-1] = word(tail[-1].text, self.preposition)
        return tail

    def _tail_key(self):
        return self.particle if self.verb.french_tail else self.head

    @property
    def _english_preposition(self):
        return self.verb.english_tail[-1] in ("of", "to", "about", "like")

    def _english_objects(self, denied, object_word):
        direct = (object_word,) if object_word else self.object.english(denied) if self.object else ()
        if not self.recipient:
            return direct
        shifted = isinstance(self.recipient, Pronoun) and direct and not isinstance(self.object, Pronoun)
        shifted = shifted and self.verb.name != "explain"  # "give me a book", but "explain a word to me"
        to = () if shifted else (word("to", self.to),)
        recipient = (*to, *self.recipient.english())
        return (*direct, *recipient) if to else (*recipient, *direct)

    def _english_complement(self, denied):
        if not self.complement:
            return ()
        to = () if self.verb.name in _NO_TO else (word("to", self.to),)
        return (*to, *self.complement.english_words("base", denied))

    # ---- French

    def french_infinitive(self, subject, denied=False, inserted=None):
        """Clitics, infinitive, and all that follows it."""
        head = word(self.verb.french.infinitive, self.head)
        return (*self.clitics(subject), head, *self.french_rest(subject, denied, inserted))

    def french_participle(self, subject):
        gender_of = subject if self.verb.with_etre else self._preceding_object
        text = self.verb.french.participle
        if gender_of:
            text = agree(text, gender_of.feminine, gender_of.many)
        return word(text, self.head)

    @property
    def _preceding_object(self):
        if self.verb.preposition:
            return None
        return self.gap or (self.object if isinstance(self.object, Pronoun) else None)

    def french_rest(self, subject, denied, inserted=None):
        """`inserted` is the second half of a negation that stands before or instead of the object: que, personne."""
        tail = [word(text, self._french_tail_key()) for text in self.verb.french_tail]
        predicate = self.predicate.french(subject) if self.predicate else ()
        here, lower = (None, inserted) if self.complement else (inserted, None)
        complement = self._french_complement(subject, denied, lower)
        return (
            *tail,
            *((here,) if here else ()),
            *self._french_objects(denied),
            *predicate,
            *complement,
            *self.tail.french,
        )

    def _french_tail_key(self):
        return self.particle if self.verb.is_be else self.head

    def _french_objects(self, denied):
        words = ()
        if self.object and self._clitic_of_object() is None:
            words = (*self._french_preposition(), *self.object.french(denied, after_de=self.verb.preposition == "de"))
        if self.recipient and not isinstance(self.recipient, Pronoun):
            words = (*words, word("à", self.to), *self.recipient.french())
        return words

    def _french_preposition(self):
        if not self.verb.preposition:
            return ()
        if self.verb.english_tail and self._english_preposition:
            return (word(self.verb.preposition, self.preposition),)
        return (word(self.verb.preposition, possible=(self.head,)),)

    def _french_complement(self, subject, denied, inserted):
        if not self.complement:
            return ()
        link = (word(self.verb.preposition, self.to),) if self.verb.preposition else ()
        infinitive = self.complement.french_infinitive(subject, denied, inserted)
        if not link:
            infinitive = tuple(
                replace(w, possible=w.possible | {self.to}) if self.complement.head in w.sure else w for w in infinitive
            )
        return (*link, *infinitive)

    def clitics(self, subject):
        """The pronouns before the verb: me, le, lui, en, in this order."""
        found = [(0, word(_REFLEXIVE[subject.person], possible=(self.head,)))] if self.verb.reflexive else []
        found += [clitic for clitic in (self._clitic_of_object(), self._clitic_of_recipient()) if clitic]
        return tuple(w for _, w in sorted(found, key=lambda ranked: ranked[0]))

    def _clitic_of_object(self):
        if not isinstance(self.object, Pronoun):
            return None
        if self.verb.preposition == "de":
            return (4, word("en", self.object.key, possible=(self.preposition,))) if self.object.thing else None
        if self.verb.preposition == "à":
            return _ranked(word(self.object.indirect_clitic, self.object.key, possible=(self.preposition,)))
        return _ranked(word(self.object.direct_clitic, self.object.key))

    def _clitic_of_recipient(self):
        if not isinstance(self.recipient, Pronoun):
            return None
        return _ranked(word(self.recipient.indirect_clitic, self.recipient.key, possible=(self.to,)))


def _ranked(w):
    return {"le": 1, "la": 1, "les": 1, "lui": 2, "leur": 2}.get(w.text, 0), w


@dataclass
class Clause:
    """A subject, a verb phrase, a tense; perhaps a negation and an adverb ("often" = "souvent") beside the verb."""

    subject: Nominal
    phrase: VerbPhrase
    tense: str = "present"
    negation: str | None = None
    adverb: Pair = EMPTY
    denial: Key = field(default_factory=Key)

    def pair(self):
        return Pair(self.english(), self.french())

    # ---- English

    def english(self):
        auxiliaries, main = self._english_group(self.negation == "not")
        if not self.subject.english() and self.tense == "future":  # "will buy and sell"
            auxiliaries = ()
        return (
            *subject_words(self.subject).english,
            *auxiliaries[:1],
            *self._middle(auxiliaries),
            *auxiliaries[1:],
            *main,
        )

    def english_question(self, asked):
        """Auxiliary first. `asked` is a key for what French asks with: est-ce que."""
        auxiliaries, main = self._english_group(True)
        first = auxiliaries[0]
        if first.text in ("do", "does", "did", "don't", "doesn't", "didn't"):
            first = replace(first, sure=first.sure | {asked})
        else:
            first = replace(first, possible=first.possible | {asked})
        subject = subject_words(self.subject).english
        return (first, *subject, *self._middle(auxiliaries), *auxiliaries[1:], *main)

    def _middle(self, auxiliaries):
        """Adverbs and the negations that are adverbs; "not" is with the auxiliary already, "am not" and "must not" excepted."""
        words = self.adverb.english
        if self.negation in ("never", "no longer", "only"):
            words = (*(word(text, self.denial) for text in self.negation.split()), *words)
        if self.negation == "not" and auxiliaries[0].text in ("am", "must"):
            words = (word("not", self.denial), *words)
        return words

    def _english_group(self, needs_auxiliary):
        """The auxiliaries, the first of them finite, and the main verb with all that follows."""
        auxiliaries, form = self._auxiliaries(needs_auxiliary)
        phrase, denied = self.phrase, self.negation in _DENYING
        object_word = word(self.negation, self.denial) if self.negation in ("nothing", "nobody") else None
        if form is None:
            main = phrase.english_rest(denied, object_word)
        else:
            main = (*self._used_to(), *phrase.english_words(form, denied, object_word))
        if self.negation == "not" and auxiliaries[0].text in english.CONTRACTED:
            auxiliaries = (
                merge(english.CONTRACTED[auxiliaries[0].text], auxiliaries[0], word("", self.denial)),
                *auxiliaries[1:],
            )
        return auxiliaries, main

    def _used_to(self):
        helping = {"possible": (self.phrase.auxiliary,)}
        return (word("used", **helping), word("to", **helping)) if self.tense == "used" else ()

    def _auxiliaries(self, needed):
        """The auxiliaries and the form of the main verb; None when the finite verb is itself the auxiliary (is, can)."""
        phrase, person, tense = self.phrase, self.subject.person, self.tense
        helping = {"possible": (phrase.auxiliary,)}
        be = english.BE_PRESENT[person]
        has = "has" if person == SHE else "have"
        if phrase.verb.name in _MODALS:
            return (phrase.english_finite(phrase.verb.name),), None
        if phrase.verb.is_be and tense in ("present", "past"):
            text = be if tense == "present" else english.BE_PAST[person]
            return (phrase.english_finite(text),), None
        match tense:
            case "present" if needed:
                return (word("does" if person == SHE else "do", **helping),), "base"
            case "past" if needed:
                return (word("did", **helping),), "base"
            case "present":
                return (), "third" if person == SHE else "base"
            case "past":
                return (), "past"
            case "used":
                return (), "base"
            case "progressive" | "was":
                return (word(be if tense == "progressive" else english.BE_PAST[person], **helping),), "ing"
            case "future" | "conditional":
                return (word("will" if tense == "future" else "would", **helping),), "base"
            case "since":
                return (word(has, **helping),), "participle"
            case "perfect" | "pluperfect":
                return (word(has if tense == "perfect" else "had", phrase.auxiliary),), "participle"
            case "going":
                return (word(be, **helping), word("going", phrase.auxiliary), word("to", **helping)), "base"
            case "just":
                return (word(has, **helping), word("just", phrase.auxiliary)), "participle"
        raise KeyError(tense)

    # ---- French

    def french(self):
        return (*subject_words(self.subject).french, *self.french_predicate())

    def french_predicate(self, inverted=None):
        """All but the subject; `inverted` is a subject pronoun that joins the finite verb: lisez-vous."""
        finite, clitics, lower = self._french_group()
        if inverted:
            finite = _inverted(finite, inverted)
        before, after = self._french_negation()
        return (*before, *clitics, finite, *after, *self.adverb.french, *lower)

    def _french_negation(self):
        if not self.negation:
            return (), ()
        second = () if self.negation in ("nobody", "only") else (word(NEGATIONS[self.negation], self.denial),)
        return (word("ne", self.denial),), second

    @property
    def _inserted(self):
        return word(NEGATIONS[self.negation], self.denial) if self.negation in ("nobody", "only") else None

    def _french_group(self):
        """The finite verb, the clitics before it, and what follows."""
        phrase, subject, tense = self.phrase, self.subject, self.tense
        denied = self.negation in _DENYING
        if tense in _SEMI:
            finite = word(_SEMI[tense].present[subject.person], phrase.auxiliary)
            of = (word("de", possible=(phrase.auxiliary,)),) if tense == "just" else ()
            return finite, (), (*of, *phrase.french_infinitive(subject, denied, self._inserted))
        rest = phrase.french_rest(subject, denied, self._inserted)
        if tense in _SIMPLE or phrase.verb.stative and tense == "past":
            text = _simple(phrase.verb.french, _SIMPLE.get(tense, "imperfect"), subject.person)
            return word(text, phrase.head, possible=(phrase.auxiliary,)), phrase.clitics(subject), rest
        auxiliary = _simple(_ETRE if phrase.verb.with_etre else _AVOIR, _COMPOUND[tense], subject.person)
        if tense == "past":
            finite = word(auxiliary, possible=(phrase.head, phrase.auxiliary))
        else:
            finite = word(auxiliary, phrase.auxiliary)
        return finite, phrase.clitics(subject), (phrase.french_participle(subject), *rest)


def _simple(conjugation, tense, person):
    return conjugation.present[person] if tense == "present" else getattr(conjugation, tense)(person)


def _inverted(finite, pronoun):
    text = pronoun.text
    joint = "-t-" if finite.text[-1] in "aeé" and text[0] in "ei" else "-"
    return merge(finite.text + joint + text, finite, pronoun)


def subject_words(nominal):
    """A nominal as the subject of a clause."""
    if isinstance(nominal, Pronoun):
        return Pair(nominal.english_subject(), (word(nominal.french_subject_text, nominal.key),))
    return Pair(nominal.english(), nominal.french())


# ---- questions


def yes_no(clause):
    """ "Do you like tea?" = "Est-ce que vous aimez le thé ?"; with can and would like "Pouvez-vous", "Voudriez-vous"."""
    asked = Key()
    english_words = clause.english_question(asked)
    if (
        clause.phrase.verb.name in ("can", "would like")
        and isinstance(clause.subject, Pronoun)
        and clause.subject.person != I
    ):
        return Pair(english_words, clause.french_predicate(subject_words(clause.subject).french[0]))
    return Pair(english_words, (word("est-ce", asked), word("que", asked), *clause.french()))


def asking(question, clause):
    """ "Why is Anna crying?" = "Pourquoi Anna pleure-t-elle ?": `question` is the pair of question words."""
    if isinstance(clause.subject, Pronoun):
        subject = subject_words(clause.subject).french[0]
        return Pair(
            (*question.english, *clause.english_question(Key())), (*question.french, *clause.french_predicate(subject))
        )
    taken_up = pronoun_for(clause.subject)
    last = Key()
    *others, head = subject_words(clause.subject).english
    known = Clause(
        _Said(clause.subject, (*others, replace(head, possible=head.possible | {last}))), clause.phrase, clause.tense
    )
    known.negation, known.denial, known.adverb = clause.negation, clause.denial, clause.adverb
    copy = word(taken_up.french_subject_text, possible=(last,))
    french = (*question.french, *clause.subject.french(), *clause.french_predicate(copy))
    return Pair((*question.english, *known.english_question(Key())), french)


class _Said:
    """A nominal whose English words are settled."""

    def __init__(self, nominal, words):
        self.person, self._words, self._nominal = nominal.person, words, nominal

    def english(self, denied=False):
        return self._words

    def french(self, denied=False, after_de=False):
        return self._nominal.french(denied, after_de)


def what(clause):
    """ "What are you reading?" = "Que lisez-vous ?", "What is Anna reading?" = "Qu'est-ce qu'Anna lit ?"."""
    if isinstance(clause.subject, Pronoun):
        return asking(fixed("what", "que"), clause)
    asked = fixed("what", "que est-ce que", "1-1 1p2 1p3")
    return Pair((*asked.english, *clause.english_question(Key())), (*asked.french, *clause.french()))
