"""What the voices say: sentences put together at random from common words, and numbers, which any language can read.

The sentences mean nothing; they have the sounds, the rhythm and the pauses of speech, and no author.
"""

from __future__ import annotations

import numpy as np

_NOUNS = """baby map room boat bag pen paper table apple people map lamp farm family home bridge business problem member
number memory plan program picture price office finger voice leaf river five valley television father mother brother
month thing bath cloth teeth path street city student table doctor daughter teacher school shop fish chair church child
judge page garden village language world water woman wolf road rain year music book foot moon food shoe fruit boy toy
coin noise house mouth cloud town light night eye fire time life day game place train table rope goat stone window
shoulder ball door horse law daughter story bird girl nurse work word summer cup bus money sun blood hand bank glass
heart star arm guard park dog box clock shop bottle egg bed head letter weather bell ship hill milk river kitchen tree
sheep week sea dream green machine police""".split()
_VERBS = """put buy pay keep bring become believe begin speak stop hope help make move remember meet come seem map pull
push bake beg bump climb jump camp limp find feel fall follow forget forgive live leave love have save think thank
breathe
teach touch watch wash wish rush judge change manage take talk tell turn try ask work want wait walk win wear wonder
write read run reach ring sing bring hang long use choose lose move prove grow know show go throw hold fold roll draw
call walk saw thought bought shout count found allow fly cry buy try drive arrive say play stay wait change""".split()
_DESCRIBING = """big small happy beautiful possible important simple empty brown black blue public human common warm
famous famous final fine free full very heavy brave thin thick healthy whole smooth other rich cheap fresh short strange
large young yellow used usual unusual new few good wooden slow cold open old broad long strong wrong round loud proud
quiet white wide wise bright great plain strange early dirty firm first certain careful dark hard hot soft lost bad sad
glad fast best better ready red deep clean clear easy near weak cheap""".split()
_SMALL = """the a my your his her our their this that these those some every no any""".split()
_JOINING = """and but because before after while if when although so or until""".split()
_PLACING = """by with from for above below behind before between beside upon into over under without about through
around beyond at near on in of""".split()
_HOW = """maybe probably perhaps almost never always often sometimes quickly slowly even only just somehow therefore
moreover finally perfectly obviously really simply""".split()
_WHO = """i you he she we they people everybody somebody nobody mom bob pam peter mary maybe bill tom emma""".split()
_ENDS = (".", ".", ".", ".", "?", "!", ",", ",", ";")


def sentences(rng: np.random.Generator, count: int, *, held_out: bool = False) -> list[str]:
    """Random sentences; those for tests are made of other words than those to train on, see `_words`."""
    return [_sentence(rng, held_out) for _ in range(count)]


def numbers(rng: np.random.Generator, count: int) -> list[str]:
    """Rows of numbers in digits, with pauses; a voice reads them in its own language."""
    digits = [rng.integers(0, 10 ** rng.integers(1, 5), int(rng.integers(2, 6))) for _ in range(count)]
    return [", ".join(str(number) for number in row) + "." for row in digits]


def made_up(rng: np.random.Generator, count: int) -> list[str]:
    """Sentences of words nobody has, spelt as they sound in most languages; rich in sounds of the lips."""
    return [_made_up(rng) for _ in range(count)]


_OPENING, _VOWELS = "p b m f v t d n s k l r g".split(), "aeiou"


def _made_up(rng: np.random.Generator) -> str:
    words = []
    for _ in range(int(rng.integers(3, 9))):
        heads = rng.integers(len(_OPENING), size=int(rng.integers(1, 4)))
        word = "".join(_OPENING[head] + _VOWELS[int(rng.integers(5))] for head in heads)
        end = _OPENING[int(rng.integers(len(_OPENING)))] if rng.random() < 0.25 else ""
        words.append(word + end + ("," if rng.random() < 0.12 else ""))
    return " ".join(words).rstrip(",").capitalize() + "."


_LISTS = (_NOUNS, _VERBS, _DESCRIBING, _SMALL, _JOINING, _PLACING, _HOW, _WHO)
_TRAINED = frozenset(word for words in _LISTS for at, word in enumerate(words) if at % 5)


def _words(words: list[str], held_out: bool) -> list[str]:
    """Four fifths of a list; held out: of the rest those that stand nowhere else."""
    if held_out:
        return [word for word in words[::5] if word not in _TRAINED]
    return [word for at, word in enumerate(words) if at % 5]


def _sentence(rng: np.random.Generator, held_out: bool) -> str:
    def one(words: list[str]) -> str:
        chosen = _words(words, held_out)
        return chosen[int(rng.integers(len(chosen)))]

    def noun() -> str:
        describing = [one(_DESCRIBING)] if rng.random() < 0.45 else []
        return " ".join([one(_SMALL), *describing, one(_NOUNS)])

    def clause() -> str:
        who = one(_WHO) if rng.random() < 0.5 else noun()
        how = [one(_HOW)] if rng.random() < 0.3 else []
        what = [noun()] if rng.random() < 0.75 else []
        where = [one(_PLACING), noun()] if rng.random() < 0.55 else []
        return " ".join([who, *how, one(_VERBS), *what, *where])

    parts = [clause()]
    while rng.random() < 0.45 and len(parts) < 4:
        parts.append(f"{', ' if rng.random() < 0.6 else ' '}{one(_JOINING)} {clause()}")
    end = _ENDS[int(rng.integers(len(_ENDS)))]
    return "".join(parts).capitalize() + (end if end not in ",;" else ".")
