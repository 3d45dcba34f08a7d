"""Decoding: the characters that a document's bytes stand for."""

import codecs
import re

from .errors import BAD_ARGUMENT, HostError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_META = re.compile(rb"<meta\b[^>]{0,300}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_XML = re.compile(rb"\A\s*<\?xml\b[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
# What files are that are not text, by how they begin: to say so by name.
_BINARY = (
    (b"%PDF-", "a PDF file"),
    (b"PK\x03\x04", "a ZIP archive (an office document, perhaps)"),
    (b"\xd0\xcf\x11\xe0", "an old office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x7fELF", "a program"),
)
_LATIN = frozenset(("ascii", "iso8859-1", "cp1252"))  # all read as windows-1252, as browsers do
_NOT_CHARSETS = frozenset(
    ("idna", "punycode", "unicode_escape", "raw_unicode_escape", "utf-7", "undefined", "mbcs", "oem")
)
_BREAKS = re.compile(r"\r\n?")
# Control characters that no text holds: PostgreSQL cannot store NUL, the others are noise.
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x7f]")


def decode(document: bytes, mime: str | None, *, markup: bool) -> str:
    """The document as text, its lines ended by line feeds.

    The character set is that of the byte order mark, the MIME type, the page itself (markup), else UTF-8.

    raises  HostError LO103 if it is binary, not in its character set, or the set is unknown
    """
    for magic, what in _BINARY:
        if document.startswith(magic):
            raise HostError(
                BAD_ARGUMENT, f"the document is {what}, not text", "Convert it to HTML, Markdown or plain text first."
            )
    charset = _charset(document, mime, markup)
    try:
        text = document.decode(charset)
    except UnicodeDecodeError as error:
        if charset != "cp1252":
            raise HostError(
                BAD_ARGUMENT,
                f"the document is not valid {charset.removesuffix('-sig').upper()} (byte {error.start})",
                "Name its character set in the MIME type, such as 'text/plain; charset=windows-1252'.",
            ) from None
        text = document.decode("latin-1")
    except UnicodeError:
        raise HostError(
            BAD_ARGUMENT, f"the document is not valid {charset.upper()}", "Convert it to UTF-8 first."
        ) from None
    if "\x00" in text or len(_CONTROLS.findall(text)) > 8 + len(text) // 100:
        raise HostError(
            BAD_ARGUMENT,
            "the document is binary, not text",
            "Convert it to HTML, Markdown or plain text in UTF-8 first.",
        )
    return _BREAKS.sub("\n", _CONTROLS.sub("", text).removeprefix("\ufeff"))


def _charset(document: bytes, mime: str | None, markup: bool) -> str:
    """The codec to read the document with; raises HostError LO103 for a name that is none."""
    for mark, codec in _BOMS:
        if document.startswith(mark):
            return codec
    name = "utf-8"
    if found := _CHARSET.search(mime or ""):
        name = found.group(1)
    elif markup and (declared := _META.search(document, 0, 4096) or _XML.search(document, 0, 512)):
        name = declared.group(1).decode("ascii")
        if name.lower().startswith(("utf-16", "utf16")):  # it could not have been read if that were so
            name = "utf-8"
    try:
        info = codecs.lookup(name)
        if info.name in _NOT_CHARSETS or not isinstance(b"a".decode(info.name, "replace"), str):
            raise LookupError(name)
    except (LookupError, ValueError):
        raise HostError(
            BAD_ARGUMENT, f'unknown character set "{name}"', "Use a name such as utf-8, windows-1252 or iso-8859-15."
        ) from None
    return "cp1252" if info.name in _LATIN else info.name
