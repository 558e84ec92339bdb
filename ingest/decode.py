"""Bytes to text: the encoding is found, never asked for."""

import re

from ingest.limits import Refused

BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
META = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w-]{2,20})", re.IGNORECASE)
SAMPLE = 200_000


def decode(data: bytes, declared: str = "") -> str:
    """The text of a file.

    Raises:
        Refused: when the bytes are not text.
    """
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if b"\0" in data[:SAMPLE]:
        return _wide(data)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if declared.lower() not in {"", "utf-8", "utf8"}:
            try:
                return data.decode(declared)
            except (LookupError, UnicodeDecodeError):
                pass
        return _mostly_utf8(data, error) or _guess(data)


def declared_charset(data: bytes) -> str:
    """The encoding an HTML file names in its head."""
    found = META.search(data[:4096])
    return found.group(1).decode("ascii", "replace") if found else ""


def _wide(data: bytes) -> str:
    """UTF-16 without a byte order mark: every other byte of Latin text is zero."""
    part = data[:SAMPLE]
    even, odd = part[0::2].count(0), part[1::2].count(0)
    half = len(part) // 2
    if max(even, odd) > 0.4 * half and min(even, odd) < 0.1 * half:
        return data.decode("utf-16-be" if even > odd else "utf-16-le", "replace")
    raise Refused("it is not text, although its name says so")


def _mostly_utf8(data: bytes, error: UnicodeDecodeError) -> str:
    """UTF-8 with a few stray bytes of Windows-1252 in it; empty when it is something else."""
    text = data.decode("utf-8", "replace")
    strays = text.count("\ufffd")
    sound = sum(1 for char in text[:SAMPLE] if ord(char) > 127 and char != "\ufffd")
    if sound < 5 * strays:
        return ""
    pieces: list[str] = []
    rest = data
    while True:
        try:
            return "".join(pieces) + rest.decode("utf-8")
        except UnicodeDecodeError as fault:
            pieces.append(rest[: fault.start].decode("utf-8"))
            pieces.append(rest[fault.start : fault.start + 1].decode("cp1252", "replace"))
            rest = rest[fault.start + 1 :]
            if len(pieces) > 10_000:
                return text


def _guess(data: bytes) -> str:
    from charset_normalizer import from_bytes

    part = data[:SAMPLE]
    controls = sum(part.count(code) for code in range(32) if code not in (9, 10, 12, 13, 27))
    if controls > 0.01 * len(part):
        raise Refused("it is not text, although its name says so")
    matches = from_bytes(part)
    best = matches.best()
    if best is None:
        raise Refused("its text is in no encoding that can be recognised")
    # Short Western texts fit many code pages equally well; the common one is then the likely one.
    alike = {match.encoding for match in matches if match.chaos <= best.chaos + 0.1}
    return data.decode("cp1252" if "cp1252" in alike else best.encoding, "replace")
