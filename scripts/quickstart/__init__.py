"""A small bilingual grammar that writes English sentences, their French translations, and how the words correspond.

Read the modules in this order:

    words.py      words that carry the meanings they express; links, elision, spacing, tokens
    english.py    English inflection and numbers
    french.py     French conjugation, agreement, numbers
    lexicon.py    the words themselves
    phrases.py    noun phrases, pronouns, phrases of place and time
    clauses.py    verb phrases: tense, negation, clitics, questions
    sentences.py  what is said
    corpus.py     which sentence goes to train, dev or test; the files
    selftest.py   hand-checked examples
"""
