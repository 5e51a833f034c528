"""French conjugation, agreement and numbers, in the spelling from before 1990."""

from typing import NamedTuple

from .english import WE, YOU

_PRESENT_ER = ("e", "e", "ons", "ez", "ent")
_IMPERFECT = ("ais", "ait", "ions", "iez", "aient")
_FUTURE = ("ai", "a", "ons", "ez", "ont")


class FrenchVerb(NamedTuple):
    infinitive: str
    present: tuple  # one form a person, in the order of english.py
    participle: str
    future_stem: str
    imperfect_stem: str

    def imperfect(self, person):
        stem = self.imperfect_stem
        if person in (WE, YOU):  # nous mangions, nous commencions
            stem = stem[:-1] if stem.endswith("ge") else stem[:-1] + "c" if stem.endswith("ç") else stem
        return stem + _IMPERFECT[person]

    def future(self, person):
        return self.future_stem + _FUTURE[person]

    def conditional(self, person):
        return self.future_stem + _IMPERFECT[person]


#            present                                    participle  future     imperfect stem, where it is not nous -ons
_IRREGULAR = {
    "être": ("suis est sommes êtes sont", "été", "ser", "ét"),
    "avoir": ("ai a avons avez ont", "eu", "aur"),
    "aller": ("vais va allons allez vont", "allé", "ir"),
    "faire": ("fais fait faisons faites font", "fait", "fer"),
    "voir": ("vois voit voyons voyez voient", "vu", "verr"),
    "vouloir": ("veux veut voulons voulez veulent", "voulu", "voudr"),
    "pouvoir": ("peux peut pouvons pouvez peuvent", "pu", "pourr"),
    "devoir": ("dois doit devons devez doivent", "dû", "devr"),
    "savoir": ("sais sait savons savez savent", "su", "saur"),
    "connaître": ("connais connaît connaissons connaissez connaissent", "connu", "connaîtr"),
    "prendre": ("prends prend prenons prenez prennent", "pris", "prendr"),
    "apprendre": ("apprends apprend apprenons apprenez apprennent", "appris", "apprendr"),
    "comprendre": ("comprends comprend comprenons comprenez comprennent", "compris", "comprendr"),
    "mettre": ("mets met mettons mettez mettent", "mis", "mettr"),
    "dire": ("dis dit disons dites disent", "dit", "dir"),
    "lire": ("lis lit lisons lisez lisent", "lu", "lir"),
    "écrire": ("écris écrit écrivons écrivez écrivent", "écrit", "écrir"),
    "boire": ("bois boit buvons buvez boivent", "bu", "boir"),
    "venir": ("viens vient venons venez viennent", "venu", "viendr"),
    "revenir": ("reviens revient revenons revenez reviennent", "revenu", "reviendr"),
    "souvenir": ("souviens souvient souvenons souvenez souviennent", "souvenu", "souviendr"),
    "partir": ("pars part partons partez partent", "parti", "partir"),
    "sortir": ("sors sort sortons sortez sortent", "sorti", "sortir"),
    "dormir": ("dors dort dormons dormez dorment", "dormi", "dormir"),
    "ouvrir": ("ouvre ouvre ouvrons ouvrez ouvrent", "ouvert", "ouvrir"),
    "recevoir": ("reçois reçoit recevons recevez reçoivent", "reçu", "recevr"),
    "courir": ("cours court courons courez courent", "couru", "courr"),
    "rire": ("ris rit rions riez rient", "ri", "rir"),
    "conduire": ("conduis conduit conduisons conduisez conduisent", "conduit", "conduir"),
    "construire": ("construis construit construisons construisez construisent", "construit", "construir"),
    "appeler": ("appelle appelle appelons appelez appellent", "appelé", "appeller"),
    "envoyer": ("envoie envoie envoyons envoyez envoient", "envoyé", "enverr"),
    "nettoyer": ("nettoie nettoie nettoyons nettoyez nettoient", "nettoyé", "nettoier"),
    "essayer": ("essaie essaie essayons essayez essaient", "essayé", "essaier"),
    "acheter": ("achète achète achetons achetez achètent", "acheté", "achèter"),
    "lever": ("lève lève levons levez lèvent", "levé", "lèver"),
    "promener": ("promène promène promenons promenez promènent", "promené", "promèner"),
    "préférer": ("préfère préfère préférons préférez préfèrent", "préféré", "préférer"),
    "espérer": ("espère espère espérons espérez espèrent", "espéré", "espérer"),
}


def french_verb(infinitive):
    if infinitive in _IRREGULAR:
        present, participle, future, *imperfect = _IRREGULAR[infinitive]
        forms = tuple(present.split())
        return FrenchVerb(infinitive, forms, participle, future, imperfect[0] if imperfect else forms[WE][:-3])
    return {"er": _first_group, "ir": _second_group, "re": _third_group}[infinitive[-2:]](infinitive)


def _first_group(infinitive):
    stem = infinitive[:-2]
    soft = stem + "e" if stem.endswith("g") else stem[:-1] + "ç" if stem.endswith("c") else stem
    present = tuple((soft if ending[0] == "o" else stem) + ending for ending in _PRESENT_ER)
    return FrenchVerb(infinitive, present, stem + "é", infinitive, soft)


def _second_group(infinitive):
    stem = infinitive[:-1]
    present = tuple(stem + ending for ending in ("s", "t", "ssons", "ssez", "ssent"))
    return FrenchVerb(infinitive, present, stem, infinitive, stem + "ss")


def _third_group(infinitive):
    stem = infinitive[:-2]
    present = tuple(stem + ending for ending in ("s", "", "ons", "ez", "ent"))
    return FrenchVerb(infinitive, present, stem + "u", infinitive[:-1], stem)


def agree(participle, feminine, many):
    """écrit, écrite, écrits, écrites; a final s stays alone: pris, prise, pris, prises."""
    text = participle + "e" if feminine else participle
    return text + "s" if many and not text.endswith("s") else text


def plural(noun):
    """The plural of a regular noun or masculine adjective."""
    if noun.endswith(("s", "x", "z")):
        return noun
    if noun.endswith("al"):
        return noun[:-1] + "ux"
    return noun + ("x" if noun.endswith(("eau", "eu")) else "s")


def feminine(adjective):
    """The feminine of an adjective without surprises."""
    endings = (
        ("er", "ère"),
        ("eux", "euse"),
        ("if", "ive"),
        ("ien", "ienne"),
        ("on", "onne"),
        ("el", "elle"),
        ("il", "ille"),
        ("e", "e"),
    )
    for masculine, changed in endings:
        if adjective.endswith(masculine):
            return adjective[: -len(masculine)] + changed
    return adjective + "e"


# ---- numbers

_UNITS = (
    "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept dix-huit dix-neuf"
).split()
_TENS = {2: "vingt", 3: "trente", 4: "quarante", 5: "cinquante", 6: "soixante", 8: "quatre-vingt"}


def number_below_100(value, is_feminine=False):
    """21 is "vingt et un", 71 "soixante et onze", 80 "quatre-vingts", 91 "quatre-vingt-onze"; "vingt et une" before a feminine noun."""
    if value < 20:
        return "une" if value == 1 and is_feminine else _UNITS[value]
    if value == 80:
        return "quatre-vingts"
    tens = value // 10 - (value // 10 in (7, 9))
    rest = number_below_100(value - 10 * tens, is_feminine)
    if rest == "zéro":
        return _TENS[tens]
    joined = " et " if value % 10 == 1 and tens != 8 else "-"
    return _TENS[tens] + joined + rest
