"""The scripts of a page, and the policy that lets no other run."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from experiments.records import plain

if TYPE_CHECKING:
    from collections.abc import Sequence


def as_script(text: str) -> str:
    """Return a script so that nothing in it can end the element that holds it."""
    # a browser reads every line end as \n before it compares a digest
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"<(?=/script|!--)", r"\\x3c", text, flags=re.IGNORECASE)


def as_json(content: Any) -> str:
    """Return data as JSON that is only data wherever it stands in a page.

    A number that is not finite becomes null; what could end an element or an attribute, or begin
    a comment, becomes its number.
    """
    text = json.dumps(plain(content), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter in "<>&'\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def policy(scripts: Sequence[str]) -> str:
    """Return the content security policy of a page with these scripts and no others.

    Nothing is fetched, nothing is sent, no script runs but those whose digest is named, and none
    of them makes code from text. Charts set styles of their own, and are shown as images where
    scripts are off.
    """
    allowed = " ".join(f"'sha256-{_digest(script)}'" for script in scripts) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
