"""English inflection and numbers."""

from typing import NamedTuple

# Persons are numbered alike in both languages: I, he/she/it, we, you, they. There is no "tu" in this corpus.
I, SHE, WE, YOU, THEY = range(5)

BE_PRESENT = ("am", "is", "are", "are", "are")
BE_PAST = ("was", "was", "were", "were", "were")
CONTRACTED = {
    "do": "don't", "does": "doesn't", "did": "didn't", "is": "isn't", "are": "aren't", "was": "wasn't", "were": "weren't",
    "has": "hasn't", "have": "haven't", "had": "hadn't", "will": "won't", "would": "wouldn't", "can": "can't",
}  # fmt: skip
_DOUBLED = ("swim", "run", "forget", "get", "travel", "prefer")


class EnglishVerb(NamedTuple):
    base: str
    third: str
    past: str
    participle: str
    ing: str

    def present(self, person):
        return self.third if person == SHE else self.base


def english_verb(text):
    """ "see/saw/seen" or, if regular, "open"."""
    base, *irregular = text.split("/")
    past = irregular[0] if irregular else _regular_past(base)
    participle = irregular[-1] if irregular else past
    return EnglishVerb(base, _third(base), past, participle, _ing(base))


def _third(base):
    if base == "have":
        return "has"
    return (
        base[:-1] + "ies"
        if _ends_in_consonant_y(base)
        else base + ("es" if base.endswith(("s", "sh", "ch", "o")) else "s")
    )


def _regular_past(base):
    if _ends_in_consonant_y(base):
        return base[:-1] + "ied"
    return base + ("d" if base.endswith("e") else base[-1] + "ed" if base in _DOUBLED else "ed")


def _ing(base):
    if base in _DOUBLED:
        return base + base[-1] + "ing"
    return (base[:-1] if base.endswith("e") and base not in ("be", "see") else base) + "ing"


def _ends_in_consonant_y(base):
    return base.endswith("y") and base[-2] not in "aeiou"


def plural(noun):
    """The plural of a regular noun."""
    if _ends_in_consonant_y(noun):
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "sh", "ch", "x")) else "s")


_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


def number_below_100(value):
    if value < 20:
        return _UNITS[value]
    tens, unit = _TENS[value // 10 - 2], value % 10
    return f"{tens}-{_UNITS[unit]}" if unit else tens
