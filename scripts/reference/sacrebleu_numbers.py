#!/usr/bin/env python3
"""Makes the numbers that crates/metrics is tested against, with PyPI sacrebleu.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install sacrebleu==2.6.0
    /tmp/venv/bin/python scripts/reference/sacrebleu_numbers.py > crates/metrics/tests/fixtures/sacrebleu.json

All text is made here: sentences written to be awkward, and word salad from a seeded generator. The output is the same
every time. The Rust test reads the option sets by the names used here.
"""

import json
import random

import sacrebleu
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
from sacrebleu.tokenizers.tokenizer_char import TokenizerChar
from sacrebleu.tokenizers.tokenizer_intl import TokenizerV14International
from sacrebleu.tokenizers.tokenizer_none import NoneTokenizer
from sacrebleu.tokenizers.tokenizer_zh import TokenizerZh

METRICS = {
    "bleu": BLEU(),
    "bleu lowercase": BLEU(lowercase=True),
    "bleu intl": BLEU(tokenize="intl"),
    "bleu char": BLEU(tokenize="char"),
    "bleu zh": BLEU(tokenize="zh"),
    "bleu none": BLEU(tokenize="none", force=True),
    "bleu effective": BLEU(effective_order=True),
    "bleu unsmoothed": BLEU(smooth_method="none", effective_order=True),
    "bleu floor": BLEU(smooth_method="floor", smooth_value=0.25, effective_order=True),
    "bleu add-k": BLEU(smooth_method="add-k", smooth_value=1, effective_order=True),
    "chrf": CHRF(),
    "chrf+": CHRF(word_order=1),
    "chrf++": CHRF(word_order=2),
    "chrf++ lowercase": CHRF(word_order=2, lowercase=True),
    "chrf whitespace": CHRF(whitespace=True),
    "chrf3": CHRF(beta=3),
    "ter": TER(),
    "ter case": TER(case_sensitive=True),
    "ter normalized": TER(normalized=True),
    "ter no punctuation": TER(no_punct=True),
    "ter asian": TER(normalized=True, asian_support=True),
    "ter everything": TER(normalized=True, no_punct=True, asian_support=True, case_sensitive=True),
}

TOKENIZERS = {
    "13a": Tokenizer13a(),
    "intl": TokenizerV14International(),
    "char": TokenizerChar(),
    "zh": TokenizerZh(),
    "none": NoneTokenizer(),
}

# Hypothesis and reference.
HOSTILE = [
    ("", ""),
    ("", "A reference with no hypothesis."),
    ("A hypothesis with no reference.", ""),
    (" \t ", "\u00a0\u3000"),
    ("yes", "yes"),
    ("yes", "no"),
    (".", "."),
    ("...", ". . ."),
    ("Two words", "Two words"),
    ("The lighthouse keeper counted seventeen boats.", "The lighthouse keeper counted seventeen boats."),
    ("Bread rises slowly in cold kitchens", "every owl forgot its umbrella yesterday"),
    ("THE BRIDGE IS CLOSED ON MONDAY", "the bridge is closed on Monday"),
    ("Gray clouds gathered, then parted.", "Grey clouds gathered; then they parted."),
    ("at night the harbour is quiet and cold", "the harbour is quiet and cold at night"),
    ("b a d c f e h g j i", "a b c d e f g h i j"),
    ("one one one one one one", "one two one two one"),
    ("He paid 1,234.50 crowns (3.5 % more) on 2024-05-17.", "He paid 1.234,50 crowns (3,5% more) on 17-05-2024."),
    ("ratio 3:4, 5-6, a-b, 7-b, b-7, .5, 5., 1,2,3,", "ratio 3 : 4 , 5 - 6 , a-b , 7-b , b-7 , 0.5 , 5 ., 1,2,3"),
    ("call +44 20 7946 0000, ext. #9*", "call +44-20-7946-0000 ext. 9"),
    ("visit https://ships.example/a_b?c=d&e=f#g now", "visit https://ships.example/a-b?c=d;e=f now"),
    ("She said &quot;stop&quot; &amp; left &lt;quickly&gt;", 'She said "stop" & left <quickly>'),
    ("&amp;quot; &amp;amp; &ampersand; &lt", '" & &ampersand; <'),
    ("words <skipped> here <skipped>", "words here"),
    ("hyphen-\nated at the end-\n of lines\n", "hyphenated at the end of lines"),
    ("first\r\nsecond\u2028third\u2029fourth\u0085fifth", "first second third fourth fifth"),
    ("a\u00a0b\u2009c\u200bd\u202fe\ufefff\u3000g", "a b c d e f g"),
    ("tab\there\x0bvertical\x0cfeed", "tab here vertical feed"),
    ("old\x1cseparators\x1dare\x1espaces\x1ftoo\x1c", "old separators are spaces too"),
    ("null\x00 bell\x07 escape\x1b[0m del\x7f", "null bell escape del"),
    ("\u00dcber die Stra\u00dfe l\u00e4uft ein gro\u00dfer B\u00e4r.", "\u00dcBER DIE STRASSE L\u00c4UFT EIN GROSSER B\u00c4R."),
    ("cafe\u0301 nai\u0308ve", "caf\u00e9 na\u00efve"),
    ("\u0399\u03a3\u03a9\u03a3 \u03a3\u03a3 \u039f\u0394\u039f\u03a3.", "\u03b9\u03c3\u03c9\u03c2 \u03c3\u03c2 \u03bf\u03b4\u03cc\u03c2."),
    ("\u0130stanbul ve I\u011fd\u0131r \u01c5ul", "istanbul ve \u0131\u011fd\u0131r \u01c6ul"),
    ("\u00ab Bonjour \u00bb, dit-elle\u2026 l\u2019\u00e9t\u00e9 \u2014 enfin\u00a0!", "\u00abBonjour\u00bb, dit-elle... l'\u00e9t\u00e9 - enfin!"),
    ("\u041c\u044b\u0448\u044c \u0441\u044a\u0435\u043b\u0430 \u0441\u044b\u0440, 5\u20136 \u043a\u0433.", "\u041c\u044b\u0448\u044c \u043d\u0435 \u0441\u044a\u0435\u043b\u0430 \u0441\u044b\u0440: 5-6 \u043a\u0433."),
    ("\u6211\u5728\u6cb3\u8fb9\u770b\u89c1\u4e09\u53ea\u9e2d\u5b50\u3002", "\u6211\u5728\u6cb3\u8fb9\u770b\u5230\u4e86\u4e09\u53ea\u9e2d\u5b50\u3002"),
    ("\u4ed6\u4e70\u4e863.5\u516c\u65a4\uff08\u7ea67\u78c5\uff09\u7684rice\uff0c\u5bf9\u5417\uff1f", "\u4ed6\u4e70\u4e86 3.5 \u516c\u65a4(\u7ea67\u78c5)\u7684\u7c73, \u5bf9\u5417?"),
    ("\U00020000\U0002a6d6\u3400\u9fa6\uf900\u2e80\u31c0\u2ff0\u3105\ufe10\u2603\u2708\u3231\u33a1", "\U00020001\U0002a6d6\u3401\u9fa6\uf901\u2e81\u31c0\u2ff1\u3105\ufe11\u2603\u2709\u3231\u33a2"),
    ("\u732b\u304c\u30bd\u30d5\u30a1\u30fc\u306e\u4e0b\u3067\u5bdd\u3066\u3044\u307e\u3059\u3002\u300c\u306f\u3044\u300d", "\u732b\u306f\u30bd\u30d5\u30a1\u306e\u4e0b\u3067\u7720\u3063\u3066\u3044\u308b\u3002\u300e\u306f\u3044\u300f\u30fb"),
    ("\uace0\uc591\uc774\uac00 \ucc3d\ubb38 \uc606\uc5d0 \uc549\uc544 \uc788\ub2e4.", "\uace0\uc591\uc774\ub294 \ucc3d\uac00\uc5d0 \uc549\uc544 \uc788\ub2e4."),
    ("\u0627\u0644\u0642\u0637 \u064a\u0646\u0627\u0645\u060c \u0661\u0662\u0663\u066b\u0664\u061f", "\u0627\u0644\u0642\u0637 \u0646\u0627\u0626\u0645 \u060c \u0661\u0662\u0663,\u0664 \u061f"),
    ("\u092c\u093f\u0932\u094d\u0932\u0940 \u0938\u094b \u0930\u0939\u0940 \u0939\u0948\u0964", "\u092c\u093f\u0932\u094d\u0932\u0940 \u0938\u094b\u0924\u0940 \u0939\u0948 \u0964"),
    ("ship it \U0001f680\U0001f680 \U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea\u2764\ufe0f", "ship it \U0001f680 \U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1f0\u2764"),
    ("x\u00b2 + y\u00b3 = \u00bd\u2460 \u00b1 \u20ac5 \u2260 $5 \u2248 \u00a35 \u2122\u00a9", "x\u00b2+y\u00b3=1/2 \u00b1 5 \u20ac \u2260 5$ ~ 5\u00a3 TM"),
    ("(((nested [brackets] {everywhere})))!?!?", "( nested [ brackets ] { everywhere } ) !? !?"),
    ("Ann's, Bess', 'tis the sailors' 'new' boat's", "Ann 's , Bess ' , ' tis the sailors ' ' new ' boat 's"),
    ("_under_ ~tilde~ `tick` ^caret^ |pipe| \\back\\ /slash/ @at", "under tilde tick caret pipe back slash at"),
    ("a" * 300, "a" * 299 + "b"),
    ("   leading and trailing   ", "leading and trailing"),
    (" ".join(str(i % 7) for i in range(130)), " ".join(str(i % 5) for i in range(110))),
    ("short", " ".join(f"w{i}" for i in range(160))),
    (" ".join(f"w{i}" for i in range(160)), "w80 w81"),
    (" ".join(f"w{(i * 37) % 90}" for i in range(90)), " ".join(f"w{i}" for i in range(90))),
    (" ".join(f"w{i}" for i in list(range(60, 120)) + list(range(60))), " ".join(f"w{i}" for i in range(120))),
]

SYLLABLES = {
    "latin": ["ka", "lo", "Mi", "ne", "tu", "ß", "ér", "ou", "sch", "O'"],
    "cyrillic": ["ла", "мо", "Ки", "ще", "ры", "ё"],
    "han": list("山水火木金土日月人口大小上下左右"),
    "kana": list("あいうえおカキクケコー"),
    "digits": ["1", "20", "3.5", "4,000", "-7", "8-9"],
}
MARKS = [".", ",", "!", "?", ";", ":", "-", "'s", "(", ")", '"', "&amp;", "…", "。", "，", "%", "€", "😀"]


def word(rng):
    script = rng.choices(list(SYLLABLES), weights=[8, 2, 1, 1, 2])[0]
    return "".join(rng.choices(SYLLABLES[script], k=rng.randint(1, 3)))


def sentence(rng, vocabulary, longest):
    words = rng.choices(vocabulary, k=rng.randint(0, longest))
    words = [w + rng.choice(MARKS) if rng.random() < 0.2 else w for w in words]
    return "".join(w + rng.choices([" ", "  ", "", "\u00a0", "\t"], weights=[20, 1, 2, 1, 1])[0] for w in words)


def garble(rng, text, vocabulary):
    """A translation with some words lost, replaced, in another case, and a block of words moved."""
    words = []
    for w in text.split(" "):
        luck = rng.random()
        if luck < 0.08:
            continue
        words.append(rng.choice(vocabulary) if luck < 0.16 else w.swapcase() if luck < 0.2 else w)
    if len(words) > 3 and rng.random() < 0.6:
        start = rng.randrange(len(words) - 1)
        block = words[start : start + rng.randint(1, 4)]
        del words[start : start + len(block)]
        target = rng.randint(0, len(words))
        words[target:target] = block
    return " ".join(words)


def salad(seed):
    rng = random.Random(seed)
    vocabulary = [word(rng) for _ in range(rng.choice([5, 30, 200]))]
    longest = rng.choice([4, 15, 40])
    references = [sentence(rng, vocabulary, longest) for _ in range(rng.randint(1, 8))]
    unrelated = seed % 10 == 0
    hypotheses = [
        sentence(rng, vocabulary, longest) if unrelated else garble(rng, text, vocabulary) for text in references
    ]
    return hypotheses, references


def score(name, hypotheses, references):
    metric = METRICS[name]
    result = metric.corpus_score(hypotheses, [references])
    if name.startswith("bleu"):
        return [result.score, result.bp, result.sys_len, result.ref_len, *result.precisions]
    if name.startswith("ter"):
        return [result.score, result.num_edits, result.ref_length]
    return [result.score]


def corpus(hypotheses, references):
    scores = {name: score(name, hypotheses, references) for name in METRICS}
    return {"hypotheses": hypotheses, "references": references, "scores": scores}


def main():
    corpora = [corpus([h], [r]) for h, r in HOSTILE]
    corpora.append(corpus(*map(list, zip(*HOSTILE))))
    corpora += [corpus(*salad(seed)) for seed in range(60)]
    texts = sorted({text for pair in HOSTILE for text in pair if len(text) < 200})
    tokenized = {text: {name: tokenizer(text).split() for name, tokenizer in TOKENIZERS.items()} for text in texts}
    signatures = {name: str(metric.get_signature()) for name, metric in METRICS.items()}
    parts = {"version": sacrebleu.__version__, "signatures": signatures, "tokenized": tokenized}
    print("{" + "".join(f"{compact(key)}:{compact(value)},\n" for key, value in parts.items()) + '"corpora":[')
    print(",\n".join(map(compact, corpora)) + "]}")


def compact(value):
    return json.dumps(value, separators=(",", ":"))


if __name__ == "__main__":
    main()
