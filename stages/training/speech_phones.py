"""From what speech engines call their sounds to ARPAbet with times, the one alphabet the visemes of synth know."""

from __future__ import annotations

from stages.synthetic.phonemes import PHONEMES, Timeline

# One IPA character -> ARPAbet; capitals are the shorthand of neural voices for diphthongs.
_IPA: dict[str, str] = {
    **dict.fromkeys("ɑaɒä", "AA"), **dict.fromkeys("æ", "AE"), **dict.fromkeys("ʌɤ", "AH"),
    **dict.fromkeys("əɐᵊɘ", "AX"), **dict.fromkeys("ɚɝɜ", "ER"), **dict.fromkeys("ɛeε", "EH"),
    **dict.fromkeys("ɪɨᵻɯ", "IH"), **dict.fromkeys("i", "IY"), **dict.fromkeys("ɔoœ", "AO"),
    **dict.fromkeys("ʊøɵ", "UH"), **dict.fromkeys("uyʉ", "UW"),
    "A": "EY", "I": "AY", "O": "OW", "Q": "OW", "W": "AW", "Y": "OY",
    "p": "P", "b": "B", "m": "M", **dict.fromkeys("fɸ", "F"), **dict.fromkeys("vβʋ", "V"), "θ": "TH", "ð": "DH",
    **dict.fromkeys("tʈɾT", "T"), **dict.fromkeys("dɖ", "D"), **dict.fromkeys("sʦ", "S"), **dict.fromkeys("zʣ", "Z"),
    **dict.fromkeys("ʃʂɕ", "SH"), **dict.fromkeys("ʒʐʝʑ", "ZH"), **dict.fromkeys("ʧʨ", "CH"),
    **dict.fromkeys("ʤʥ", "JH"), **dict.fromkeys("kcxχq", "K"), **dict.fromkeys("gɡɟɣʁ", "G"),
    **dict.fromkeys("hɦħçʔʕ", "HH"), **dict.fromkeys("nɳɲ", "N"), **dict.fromkeys("ŋɴ", "NG"),
    **dict.fromkeys("lɭɫʎɬʟ", "L"), **dict.fromkeys("rɹɻʀɽ", "R"), "j": "Y", **dict.fromkeys("wʍɥɰ", "W"),
}  # fmt: skip
_OTHER_NAMES = {"ax": "AX", "axr": "ER", "pau": "sil", "h#": "sil", "ssil": "sil", "brth": "sil", "dx": "T", "ix": "IH",
                "el": "L", "em": "M", "en": "N", "hv": "HH", "nx": "N", "ux": "UW"}  # fmt: skip
# The phones of festival's voices of other languages; digits of stress and marks of length or devoicing are left out.
# Capital letters and tildes are theirs: Italian and Catalan write SAMPA, Czech a tilde for its hook.
_ABROAD = {
    "#": "sil", "##": "sil", "_": "sil", "pau": "sil", "a": "AA", "ae": "AH", "ay": "AX", "ax": "AX", "e": "EH",
    "E": "EH", "i": "IY", "o": "AO", "O": "AO", "u": "UW", "ur": "UH", "p": "P", "b": "B", "B": "B", "m": "M",
    "f": "F", "v": "V", "t": "T", "t~": "T", "d": "D", "d~": "D", "D": "DH", "T": "TH", "n": "N", "n~": "N", "J": "N",
    "N": "NG", "ng": "NG", "nf": "M", "k": "K", "g": "G", "G": "G", "h": "HH", "x": "HH", "ch": "CH", "c~": "CH",
    "tS": "CH", "dZ": "JH", "dz~": "JH", "c": "S", "ts": "S", "dz": "Z", "s": "S", "z": "Z", "s~": "SH", "S": "SH",
    "sh": "SH", "sch": "SH", "z~": "ZH", "Z": "ZH", "zh": "ZH", "r~": "ZH", "r": "R", "l": "L", "L": "L", "j": "Y",
    "w": "W",
}  # fmt: skip
# what one language writes otherwise than the others; y is a front u in Finnish and a back i in Russian
_OWN = {"finnish": {"@": "AE", "y": "UW", "9": "OW", "2": "OW", "D": "OW"}, "czech": {"ch": "HH"},
        "russian": {"y": "IH", "h": "HH"}}  # fmt: skip
# Diphthongs move: what they begin as, what they end as, and the share of the time until they turn.
GLIDES = {"AY": ("AA", "IH", 0.6), "AW": ("AA", "UH", 0.6), "OY": ("AO", "IH", 0.6), "EY": ("EH", "IY", 0.6),
           "OW": ("AO", "UH", 0.6)}  # fmt: skip

Named = tuple[tuple[float, float, str], ...]


def from_ipa(rows: Named) -> Timeline:
    """The timeline of rows (start_s, end_s, IPA of one sound); marks of stress, length and tone say nothing."""
    out = []
    for start, end, text in rows:
        known = [_IPA[letter] for letter in text if letter in _IPA] or ["sil"]
        step = (end - start) / len(known)
        out += [(start + step * at, start + step * (at + 1), name) for at, name in enumerate(known)]
    return gliding(tuple(out))


def from_radio(rows: Named) -> Timeline:
    """The timeline of rows (start_s, end_s, name in the phone set of festival and flite).

    errors  ValueError: a name that neither ARPAbet nor the set's extras have
    """
    out = []
    for start, end, name in rows:
        known = _OTHER_NAMES.get(name, name.upper())
        if known not in PHONEMES:
            raise ValueError(f"phone {name!r} is not known")
        out.append((start, end, known))
    return gliding(tuple(out))


def from_abroad(rows: Named, language: str) -> Timeline:
    """The timeline of rows (start_s, end_s, name in the phone set of a festival voice of italian, czech, finnish, ...).

    errors  ValueError: a name that is not known
    """
    known = {**_ABROAD, **_OWN.get(language, {})}
    out = []
    for start, end, name in rows:
        plain = name.rstrip("1:*") or name
        if plain not in known and len(plain) == 2 and plain[0] == plain[1]:  # Russian: twice = soft or stressed
            plain = plain[0]
        if plain not in known:
            raise ValueError(f"phone {name!r} of {language} is not known")
        out.append((start, end, known[plain]))
    return gliding(tuple(out))


def gliding(timeline: Timeline) -> Timeline:
    """The timeline with diphthongs split in two and neighbouring silences joined."""
    out: list[tuple[float, float, str]] = []
    for start, end, name in timeline:
        if end <= start:
            continue
        first, second, share = GLIDES.get(name, (name, "", 1.0))
        turn = start + share * (end - start)
        if first == "sil" and out and out[-1][2] == "sil":
            out[-1] = (out[-1][0], end, "sil")
            continue
        out.append((start, turn, first))
        if second:
            out.append((turn, end, second))
    return tuple(out)
