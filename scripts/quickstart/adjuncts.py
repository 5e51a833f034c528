"""Where and when: places, times, dates, durations, manners."""

from .lexicon import MONTHS, NOUNS, PLACES, WEEKDAYS
from .phrases import noun_phrase, number, preposition
from .words import Pair, fixed


def _table(text):
    rows = ([cell.strip() for cell in line.split("|")] for line in text.strip().splitlines())
    return [row + [None] * (3 - len(row)) for row in rows]


def _pick(draw, rows):
    return fixed(*draw.pick(rows))


# ---- time

_PAST = _table("""
    yesterday           | hier
    yesterday           | hier
    yesterday morning   | hier matin           | 1-1 2-2
    yesterday evening   | hier soir            | 1-1 2-2
    last week           | la semaine dernière  | 1-3 2p1 2-2
    last month          | le mois dernier      | 1-3 2p1 2-2
    last year           | l' année dernière    | 1-3 2p1 2-2
    this morning        | ce matin             | 1-1 2-2
""")
_FUTURE = _table("""
    tomorrow            | demain
    tomorrow            | demain
    tomorrow morning    | demain matin         | 1-1 2-2
    tomorrow evening    | demain soir          | 1-1 2-2
    next week           | la semaine prochaine | 1-3 2p1 2-2
    next month          | le mois prochain     | 1-3 2p1 2-2
    next year           | l' année prochaine   | 1-3 2p1 2-2
    tonight             | ce soir
    soon                | bientôt
""")
_HABIT = _table("""
    every day           | tous les jours       | 1-1 1-2 2-3
    every morning       | tous les matins      | 1-1 1-2 2-3
    every evening       | tous les soirs       | 1-1 1-2 2-3
    in the morning      | le matin             | 1p1 2-1 3-2
    in the evening      | le soir              | 1p1 2-1 3-2
    at night            | la nuit              | 1p1 2-2
    in summer           | en été               | 1-1 2-2
    in winter           | en hiver             | 1-1 2-2
""")
_NOW = _table("""
    now                 | maintenant
    at the moment       | en ce moment         | 1-1 2-2 3-3
    today               | aujourd'hui
""")


def past_time(draw):
    match draw.weighted({"table": 6, "ago": 2, "day": 2, "year": 1, "date": 1}):
        case "table":
            return _pick(draw, _PAST)
        case "ago":
            return ago(draw)
        case "day":
            return on_weekday(draw)
        case "year":
            return in_year(draw)
        case "date":
            return on_date(draw)


def future_time(draw):
    match draw.weighted({"table": 6, "in": 2, "day": 2, "month": 1}):
        case "table":
            return _pick(draw, _FUTURE)
        case "in":
            return in_some_time(draw)
        case "day":
            return on_weekday(draw)
        case "month":
            eng = draw.pick(list(MONTHS))
            return fixed(f"in {eng}", f"en {MONTHS[eng]}", "1-1 2-2")


def habit_time(draw):
    if draw.chance(0.2):
        eng = draw.pick(list(WEEKDAYS))
        return fixed(f"on {eng}s", f"le {WEEKDAYS[eng]}", "1p1 2-2")
    return _pick(draw, _HABIT)


def now_time(draw):
    return _pick(draw, _NOW)


def time_for(draw, tense):
    """A time that suits a tense."""
    if tense in ("past", "was"):
        return past_time(draw)
    if tense in ("future", "going", "conditional"):
        return future_time(draw)
    return now_time(draw) if tense == "progressive" else habit_time(draw)


def on_weekday(draw):
    eng = draw.pick(list(WEEKDAYS))
    return fixed(f"on {eng}", WEEKDAYS[eng], "1p1 2-1")


def a_year(draw):
    return 1950 + 3 * draw.between(0, 24)


def in_year(draw):
    year = a_year(draw)
    return fixed(f"in {year}", f"en {year}", "1-1 2-2")


def on_date(draw, with_year=None):
    """ "on 3 May", "on Monday 3 May", "on 3 May 1998"; the first of a month is "le 1er"."""
    day, month = draw.between(1, 30), draw.pick(list(MONTHS))
    day = min(day, 28) if month == "February" else day
    shape = "year" if with_year else draw.weighted({"plain": 3, "weekday": 2, "year": 2})
    french_day = "1er" if day == 1 else str(day)
    if shape == "weekday":
        name = draw.pick(list(WEEKDAYS))
        return fixed(f"on {name} {day} {month}", f"le {WEEKDAYS[name]} {french_day} {MONTHS[month]}", "1-1 2-2 3-3 4-4")
    end = f" {a_year(draw)}" if shape == "year" else ""
    return fixed(
        f"on {day} {month}{end}", f"le {french_day} {MONTHS[month]}{end}", "1-1 2-2 3-3 4-4" if end else "1-1 2-2 3-3"
    )


def some_time(draw, *units):
    """ "three days", "two weeks"."""
    unit = NOUNS[draw.pick(units or ("day", "week", "month", "year", "hour"))]
    value = draw.weighted({2: 5, 3: 5, 4: 3, 5: 3, 6: 2, 10: 2, 1: 1, 12: 1, 20: 1})
    return noun_phrase(unit, "number", value > 1, value=(value,))


def _timed(eng, fra, draw, *units):
    return preposition(eng, fra, some_time(draw, *units))


def ago(draw):
    span = some_time(draw)
    gone = fixed("ago", "il y a")
    return Pair((*span.english(), *gone.english), (*gone.french, *span.french()))


def in_some_time(draw):
    return _timed("in", "dans", draw)


def during(draw):
    return _timed("for", "pendant", draw)


def since(draw):
    match draw.weighted({"span": 3, "year": 2, "day": 1}):
        case "span":
            return _timed("for", "depuis", draw, "day", "week", "month", "year")
        case "year":
            year = a_year(draw)
            return fixed(f"since {year}", f"depuis {year}", "1-1 2-2")
        case "day":
            eng = draw.pick(list(WEEKDAYS))
            return fixed(f"since {eng}", f"depuis {WEEKDAYS[eng]}", "1-1 2-2")


def clock(draw):
    """A time of day without its preposition."""
    match draw.weighted(
        {"full": 4, "half": 3, "quarter past": 1.5, "quarter to": 1.5, "past": 1.5, "to": 1.5, "digits": 2}
    ):
        case "full":
            hour = draw.between(1, 11)
            eng, fra = _hour(hour)
            return fixed(f"{eng} o'clock", fra, "1-1 2-2")
        case "half":
            eng, fra = _hour(draw.between(1, 11))
            return fixed(f"half past {eng}", f"{fra} et demie", "1-4 2-3 3-1 3p2")
        case "quarter past":
            eng, fra = _hour(draw.between(1, 11))
            return fixed(f"a quarter past {eng}", f"{fra} et quart", "1p4 2-4 3-3 4-1 4p2")
        case "quarter to":
            eng, fra = _hour(draw.between(1, 11))
            return fixed(f"a quarter to {eng}", f"{fra} moins le quart", "1-4 2-5 3-3 4-1 4p2")
        case "past":
            minutes, (eng, fra) = number(draw.pick((5, 10, 20))), _hour(draw.between(1, 11))
            return fixed(f"{minutes.english[0].text} past {eng}", f"{fra} {minutes.french[0].text}", "1-3 2p2 3-1 3p2")
        case "to":
            minutes, (eng, fra) = number(draw.pick((5, 10, 20))), _hour(draw.between(1, 11))
            return fixed(
                f"{minutes.english[0].text} to {eng}", f"{fra} moins {minutes.french[0].text}", "1-4 2-3 3-1 3p2"
            )
        case "digits":
            hour, minute = draw.pick((8, 10, 14, 18, 20, 22)), draw.pick((15, 30, 45))
            return fixed(f"{hour}:{minute}", f"{hour} h {minute}")


def _hour(hour):
    value = number(hour, is_feminine=True)
    return value.english[0].text, f"{value.french[0].text} {'heures' if hour > 1 else 'heure'}"


def at_clock(draw):
    if draw.chance(0.1):
        return fixed(*draw.pick((("at noon", "à midi", "1-1 2-2"), ("at midnight", "à minuit", "1-1 2-2"))))
    return fixed("at", "à") + clock(draw)


# ---- place

#   at                      | to                         | French               | links
_GOALS = [
    [cell.strip() for cell in line.split("|")]
    for line in """
    at the market           | to the market              | au marché            | 1-1 2-1 3-2
    at the railway station  | to the railway station     | à la gare            | 1-1 2-2 3-3 4-3
    at school               | to school                  | à l' école           | 1-1 2p2 2-3
    in the park             | to the park                | dans le parc         | 1-1 2-2 3-3
    at the library          | to the library             | à la bibliothèque    | 1-1 2-2 3-3
    at the swimming pool    | to the swimming pool       | à la piscine         | 1-1 2-2 3-3 4-3
    at the town hall        | to the town hall           | à la mairie          | 1-1 2-2 3-3 4-3
    at the restaurant       | to the restaurant          | au restaurant        | 1-1 2-1 3-2
    at the cinema           | to the cinema              | au cinéma            | 1-1 2-1 3-2
    at the hotel            | to the hotel               | à l' hôtel           | 1-1 2-2 3-3
    at the museum           | to the museum              | au musée             | 1-1 2-1 3-2
    at the airport          | to the airport             | à l' aéroport        | 1-1 2-2 3-3
    at the post office      | to the post office         | à la poste           | 1-1 2-2 3-3 4-3
    at the bakery           | to the bakery              | à la boulangerie     | 1-1 2-2 3-3
    at the hospital         | to the hospital            | à l' hôpital         | 1-1 2-2 3-3
    at the office           | to the office              | au bureau            | 1-1 2-1 3-2
    on the beach            | to the beach               | sur la plage         | 1-1 2-2 3-3
    at the seaside          | to the seaside             | au bord de la mer    | 1-1 2-1 3-2 3p3 3p4 3-5
    in the mountains        | to the mountains           | à la montagne        | 1-1 2-2 3-3
    in the countryside      | to the countryside         | à la campagne        | 1-1 2-2 3-3
    in the garden           | into the garden            | dans le jardin       | 1-1 2-2 3-3
    in the street           | into the street            | dans la rue          | 1-1 2-2 3-3
""".strip().splitlines()
]
_MARKETS = _table("""
    at the market          | au marché        | 1-1 2-1 3-2
    at the bakery          | à la boulangerie | 1-1 2-2 3-3
    at the railway station | à la gare        | 1-1 2-2 3-3 4-3
    at the airport         | à l' aéroport    | 1-1 2-2 3-3
    in the street          | dans la rue      | 1-1 2-2 3-3
    in town                | en ville         | 1-1 2-2
""")
WALKS = _table("""
    in the park            | dans le parc     | 1-1 2-2 3-3
    in the forest          | dans la forêt    | 1-1 2-2 3-3
    on the beach           | sur la plage     | 1-1 2-2 3-3
    in the mountains       | à la montagne    | 1-1 2-2 3-3
    in the countryside     | à la campagne    | 1-1 2-2 3-3
    in town                | en ville         | 1-1 2-2
""")
_TO = {
    "dans le parc": ("au parc", "1-1 2-1 3-2"),
    "sur la plage": ("à la plage", None),
}  # where "to" is not said like "at"


def at_place(draw):
    if draw.chance(0.08):
        return fixed("at home", "à la maison", "1-1 2p2 2-3")
    here, _, fra, linked = draw.pick(_GOALS)
    return fixed(here, fra, linked)


def at_market(draw):
    """Where things are sold."""
    return fixed(*draw.pick(_MARKETS))


def to_place(draw):
    if draw.chance(0.3):
        return to_named(draw.pick(PLACES))
    _, to, fra, linked = draw.pick(_GOALS)
    other, other_links = _TO.get(fra, (fra, None))
    return fixed(to, other, other_links or linked)


def in_named(draw):
    return _named("in", draw.pick(PLACES))


def to_named(place):
    return _named("to", place)


def _named(eng, place):
    if place.english.startswith("the "):
        return fixed(f"{eng} {place.english}", f"{place.inside} {place.french}", "1-1 2-1 3-2 4-2")
    return fixed(f"{eng} {place.english}", f"{place.inside} {place.french}", "1-1 2-2")


def from_named(draw):
    """ "from Lyon" = "de Lyon", "from Italy" = "d'Italie", "from Japan" = "du Japon"."""
    place = draw.pick(PLACES)
    if place.english.startswith("the "):
        return fixed(f"from {place.english}", f"{place.origin} {place.french}", "1-1 2-1 3-2 4-2")
    return fixed(f"from {place.english}", f"{place.origin} {place.french}", "1-1 2-2")


#    English      French         links
_RELATIONS = (
    ("near", "près de", "1-1 1p2"),
    ("next to", "à côté de", "1p1 1-2 2-3"),
    ("in front of", "devant", None),
    ("behind", "derrière", None),
    ("opposite", "en face de", "1-1 1-2 1p3"),
)
_INTERIORS = {
    "in": (
        "dans",
        ("kitchen", "bathroom", "dining room", "living room", "bedroom", "garden", "house", "box", "bag", "wardrobe"),
    ),
    "on": ("sur", ("table", "chair", "bed")),
    "under": ("sous", ("table", "bed", "chair")),
}
_LANDMARKS = (
    "house", "church", "school", "bridge", "hotel", "museum", "railway station", "town hall", "post office", "bank", "hospital", "castle",
    "shop", "swimming pool",
)  # fmt: skip
_WATERS = ("river", "lake", "sea", "forest")


def inside(draw):
    """In, on or under something at home."""
    eng = draw.weighted({"in": 5, "on": 3, "under": 2})
    fra, names = _INTERIORS[eng]
    determiner = draw.weighted({"the": 6, "my": 1, "his": 1, "her": 1, "our": 1})
    return preposition(eng, fra, noun_phrase(NOUNS[draw.pick(names)], determiner))


def landmark(draw):
    """Beside a building, near a river."""
    if draw.chance(0.2):
        return preposition(*_RELATIONS[0][:2], noun_phrase(NOUNS[draw.pick(_WATERS)], "the"), _RELATIONS[0][2])
    eng, fra, linked = draw.pick(_RELATIONS)
    return preposition(eng, fra, _building(draw), linked)


def _building(draw):
    return noun_phrase(NOUNS[draw.pick(_LANDMARKS)], draw.weighted({"the": 8, "this": 1}))


def between_landmarks(draw):
    first, second = _building(draw), _building(draw)
    return preposition("between", "entre", first) + preposition("and", "et", second)


def somewhere(draw):
    match draw.weighted({"at": 5, "inside": 3, "landmark": 3, "named": 2}):
        case "at":
            return at_place(draw)
        case "inside":
            return inside(draw)
        case "landmark":
            return landmark(draw)
        case "named":
            return in_named(draw)


# ---- manner

MEANS = _table("""
    by train            | en train             | 1-1 2-2
    by car              | en voiture           | 1-1 2-2
    by bus              | en autobus           | 1-1 2-2
    by plane            | en avion             | 1-1 2-2
    on foot             | à pied               | 1-1 2-2
    by bicycle          | à vélo               | 1-1 2-2
""")
MANNERS = _table("""
    slowly              | lentement
    well                | bien
    very well           | très bien            | 1-1 2-2
    badly               | mal
""")
SPEEDS = _table("""
    slowly              | lentement
    quickly             | vite
    very quickly        | très vite            | 1-1 2-2
""")
FALLS = _table("""
    in the street       | dans la rue          | 1-1 2-2 3-3
    in the garden       | dans le jardin       | 1-1 2-2 3-3
    in the kitchen      | dans la cuisine      | 1-1 2-2 3-3
    on the beach        | sur la plage         | 1-1 2-2 3-3
""")
FREQUENCIES = _table("""
    often               | souvent
    always              | toujours
    sometimes           | parfois
    rarely              | rarement
""")
OPENERS = _table("""
    of course           | bien sûr             | 1p1 1p2 2p1 2p2
    for example         | par exemple          | 1-1 2-2
    fortunately         | heureusement
    unfortunately       | malheureusement
    then                | ensuite
    however             | cependant
    this year           | cette année          | 1-1 2-2
""")
