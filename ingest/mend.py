"""Text as it was meant: wrongly decoded characters repaired, invisible ones taken out."""

import re

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0e"
    "\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
EMOJI_JOINERS = re.compile("(?<=[\u2190-\u2bff\U0001f000-\U0001faff\ufe0f])[\u200d\ufe0f]+|\ufe0f")
SCRIPT_JOINER = re.compile("(?<=[\u0600-\u0dff])[\u200c\u200d](?=[\u0600-\u0dff])")
"""Persian and the Indian scripts spell with these two; there they are letters, not a hiding place."""
HELD = {"\u200c": "\ue0fc", "\u200d": "\ue0fd"}
CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
TERMINAL = re.compile("\x1b\\[[0-?]*[ -/]*[@-~]")


def _byte_of() -> dict[str, int]:
    """Which byte a character stood for, when UTF-8 was read as Greek (and partly as Windows-1252)."""
    found: dict[str, int] = {}
    for encoding in ("cp1253", "iso8859_7", "cp1252"):
        for byte in range(0x80, 0x100):
            if encoding == "cp1252" and byte > 0x9F:
                continue
            char = bytes([byte]).decode(encoding, "ignore")
            if char:
                found[char] = byte
    return found | {chr(byte): byte for byte in range(0x80, 0xA0)}


BYTE_OF = _byte_of()
TAIL = "".join(re.escape(char) for char, byte in BYTE_OF.items() if byte < 0xC0)
SIGNS = "".join(re.escape(char) for char, byte in BYTE_OF.items() if byte < 0xC0 and not char.isalpha())
GREEK = re.compile(
    f"β[€†‡™„‚…‹‰š\x80-\x9f][{TAIL}]"  # dashes, quotes, arrows, signs
    f"|π[\u017a\u009f\u0178Ÿ][{TAIL}][{TAIL}]|ο[Έ»¼½Ό][{TAIL}]"  # emoji and full-width forms
    "|Β[Ά¶·°±²³§©®£¥¦¨«¬\u00a0](?![\u0370-\u03ff])"  # Latin-1 signs
    f"|(?<=[A-Za-z])Γ[{SIGNS}]|Γ[{SIGNS}](?=[a-z])"  # letters with accents
)


def mend(text: str) -> tuple[str, list[str]]:
    """The text, and what was done to it that its owner may want to know."""
    from ftfy import TextFixerConfig, fix_text

    notes = []
    text = TERMINAL.sub("", text.removeprefix("\ufeff")).replace("\r\n", "\n").replace("\r", "\n")
    text, hidden = strip_invisible(text)
    if not text.isascii():
        config = TextFixerConfig(
            unescape_html=False, uncurl_quotes=False, fix_character_width=False, fix_latin_ligatures=True, explain=False
        )
        fixed = fix_text(text, config)
        fixed, greek = GREEK.subn(_greek, fixed)
        if greek or _letters(fixed) != _letters(text):
            notes.append("wrongly decoded characters were repaired")
        text, more = strip_invisible(fixed)
        hidden += more
    if hidden:
        notes.append(f"{hidden} invisible character{'s' if hidden > 1 else ''} removed")
    text = CONTROLS.sub("", text.replace("\u2028", "\n").replace("\u2029", "\n\n").replace("\x85", "\n"))
    return text.replace("\u00a0", " "), notes


def strip_invisible(text: str) -> tuple[str, int]:
    """The text without characters nobody sees, and how many there were."""
    if text.isascii():
        return text, 0
    text = EMOJI_JOINERS.sub("", text)
    text = SCRIPT_JOINER.sub(lambda found: HELD[found[0]], text)
    text, count = INVISIBLE.subn("", text)
    for char, held in HELD.items():
        text = text.replace(held, char)
    return text, count


def _greek(found: re.Match[str]) -> str:
    try:
        return bytes(BYTE_OF[char] for char in found[0]).decode("utf-8")
    except (KeyError, UnicodeDecodeError):
        return found[0]


def _letters(text: str) -> int:
    """Repairing shortens the text; ligatures, which ftfy also takes apart, lengthen it."""
    return sum(1 for char in text if ord(char) > 127 and char not in "ﬀﬁﬂﬃﬄﬅﬆ")
