"""A bilingual grammar that writes English sentences, their French translations, and how the words correspond.

Read the modules in this order:

    words.py      words that carry the meanings they express; links, elision, spacing, tokens
    english.py    English inflection and numbers
    french.py     French conjugation, agreement, numbers
    lexicon.py    the words themselves, read from tables/
    phrases.py    noun phrases and pronouns
    clauses.py    verb phrases: tense, negation, clitics, questions
    adjuncts.py   phrases of place, time and manner
    draw.py       seeded choices
    meanings.py   who does what: phrases that make sense together
    kinds.py      the register of the kinds of sentences
    statements.py, described.py, questions.py, joined.py
                  the kinds themselves, some sixty
    corpus.py     which sentence goes to train, dev or test; the files
    selftest.py   hand-written examples, and what must hold for every sentence
"""
