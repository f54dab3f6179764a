"""Make text from data safe to show: in a terminal, in Markdown and in HTML."""

from __future__ import annotations

import html
import json
import re
import unicodedata

# CSI, OSC and the two-character forms of ECMA-48, so that no data can steer a terminal
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|\x1b[@-_]"
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
# Overrides and isolates reorder what follows them; letters of right-to-left scripts need neither
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# What is markup anywhere in a line; an underscore only beside something that is no letter
_MARKDOWN = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")
# What would start a heading, a list, a rule or a numbered list at the beginning of a line
_MARKDOWN_START = re.compile(r"^(\d+)([.)])(?=\s|$)|^([-+=](?=[\s=-])|\#)")


def clean(value: object) -> str:
    """Return a value as one line of text without control characters.

    Escape sequences vanish, line ends and tabs become blanks, what reorders text is removed and
    a lone surrogate, which no encoding can write, becomes a question mark.
    """
    text = str(value)
    # nearly every text is plain, and a report has tens of thousands of them
    if not (text.isascii() and text.isprintable()):
        text = "".join(_one(character) for character in _ESCAPES.sub("", text))
    return re.sub(r" {2,}", " ", text).strip()


def clean_lines(text: str) -> str:
    """Return lines of text as `clean` would, with their indentation."""
    return "\n".join(
        "".join(_one(character) for character in _ESCAPES.sub("", line)).rstrip()
        for line in text.splitlines()
    )


def definition_value(value: object) -> str:
    """Return a value of a definition on one line: a text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def markdown(value: object) -> str:
    """Return a value as Markdown that shows as it is: in a paragraph, a list or a table cell."""
    text = html.escape(clean(value), quote=False)
    text = _MARKDOWN.sub(lambda found: f"\\{found[0]}", text)
    return _MARKDOWN_START.sub(_escape_start, text)


def markdown_code(value: object) -> str:
    """Return a value as Markdown's inline code."""
    text = clean(value).replace("|", "\\|")
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    padding = " " if text.startswith("`") or text.endswith("`") or not text else ""
    return f"{fence}{padding}{text}{padding}{fence}"


def markdown_block(text: str, language: str) -> str:
    """Return lines as a fenced block that nothing in them can close."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{clean_lines(text)}\n{fence}"


def hypertext(value: object) -> str:
    """Return a value as HTML that shows as it is."""
    return html.escape(clean(value))


def _one(character: str) -> str:
    if character in "\n\r\t\x0b\x0c\x85\u2028\u2029":
        return " "
    if character in _REORDERING:
        return ""
    category = unicodedata.category(character)
    if category == "Cs":
        return "?"
    return "" if category == "Cc" else character


def _escape_start(match: re.Match[str]) -> str:
    number, mark, sign = match.groups()
    return f"{number}\\{mark}" if number else f"\\{sign}"
