"""Removes secrets and personal names from text that a user may send to somebody.

Prefers to remove too much: a hash that is gone costs a question, a key that stays costs the key. Never looks a value up
anywhere.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from spark_lsp.secret_text import SHAPES

GONE: Final = "…"

_WORDS: Final = (
    r"pass(?:word|wd|phrase|code)?|pwd|secret(?:[_-]?(?:key|access[_-]?key))?|tokens?|api[_-]?key|apikey|"
    r"access[_-]?key(?:[_-]?id)?|account[_-]?key|shared[_-]?access[_-]?(?:key|signature)|client[_-]?secret|"
    r"private[_-]?key|signing[_-]?key|encryption[_-]?key|credentials?|auth(?:orization)?|cookie|session(?:[_-]?id)?|"
    r"signature|sig|jwt|bearer|otp|pin|webhook"
)
_PREFIXES: Final = (
    "AKIA", "ASIA", "AGPA", "AIDA", "AROA", "AIza", "ya29.", "GOCSPX-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_",
    "github_pat_", "glpat-", "glptt-", "gldt-", "glrt-", "xoxa-", "xoxb-", "xoxe-", "xoxp-", "xoxr-", "xoxs-", "xapp-",
    "sk-", "sk_", "pk_", "rk_", "whsec_", "hvs.", "hvb.", "dapi", "dp.pt.", "npm_", "pypi-", "hf_", "gsk_", "SG.",
    "sq0", "EAAC", "EAAA", "dop_v1_", "doo_v1_", "shpat_", "shpss_", "shpca_", "ATATT3", "ATCTT3", "lin_api_", "PMAK-",
    "NRAK-", "glc_", "glsa_", "sntrys_", "key-", "SK", "AC", "xkeysib-", "figd_", "rubygems_", "tfp_", "pul-", "v1.0-",
    "AGE-SECRET-KEY-", "eyJ", "secret_", "ntn_", "fo1_", "fm1r_", "fm2_", "r8_", "pplx-", "co_", "nvapi-", "tvly-",
    "lsv2_",
)  # fmt: skip
_RULES: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    # A key block, to its end or while lines of a key follow: a log may be cut in the middle of one.
    (
        re.compile(
            r"-----BEGIN [A-Z0-9 ]+-----(?:.*?-----END [A-Z0-9 ]+-----|(?:\s|\\n|[A-Za-z0-9+/=]|[A-Z][\w-]+: [^\n]*)*)",
            re.DOTALL,
        ),
        GONE,
    ),
    # What is written before the @ of an address, and its path and query beyond an interface's version.
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@\"']+@"), rf"\1{GONE}@"),
    (
        re.compile(r"(?i)\b((?:https?|wss?)://[^\s/?#\"'<>]+)((?>/(?:v\d+/?)?))(?![\s\"'<>,;)]|$)[^\s\"'<>]+"),
        rf"\1\2{GONE}",
    ),
    (re.compile(r"(?i)\b(bearer|basic|digest|negotiate|token|apikey)(\s+)[\w.~+/=:-]{4,}"), rf"\1\2{GONE}"),
    (
        re.compile(
            rf"(?i)([\w.-]*(?:{_WORDS})\\?[\"']?\s*(?:=>|:=|[=:])\s*)(?:\\?\"[^\"\n]*\"|'[^'\n]*'|[^\s,;&\"']+)"
        ),
        rf"\1{GONE}",
    ),
    (re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, _PREFIXES))})[\w.~+/=-]{{12,}}"), GONE),
    (re.compile(r"\b[0-9a-fA-F]{24,}\b"), GONE),
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), GONE),
    (re.compile(r"\b\d{6,12}:[\w-]{30,}"), GONE),  # Telegram's: the number of the bot and its key
    (re.compile(r"\b[\w-]{20,}\.[\w-]{6}\.[\w-]{25,}"), GONE),  # Discord's
    # Base64 and the like: long, of one piece, with digits and letters. No path begins like that.
    (re.compile(r"(?<![\w/+.~-])(?=[^\s/]*\d)(?=[^\s]*[A-Za-z])[A-Za-z0-9+][A-Za-z0-9+/]{39,}={0,2}"), GONE),
    (re.compile(r"(?<![\w/.~-])(?=[\w-]*\d)(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{28,}={0,2}(?![\w/.])"), GONE),
    # The value that a message of the settings quotes.
    (re.compile(r"(spark\.[\w.]+ in [^\n]{1,300}? is )(?:'[^'\n]*'|\"[^\"\n]*\"|[^:\n]+)(: )"), rf"\1{GONE}\2"),
)


def without_secrets(text: str, known: Sequence[str] = ()) -> str:
    """Return a text without anything that looks like a secret, and without the values that are ``known`` to be one."""
    for value in sorted(filter(None, known), key=len, reverse=True):
        text = text.replace(value, GONE)
    for rule, instead in _RULES:
        text = rule.sub(instead, text)
    for literal, shape in SHAPES:
        if literal in text:
            text = shape.sub(GONE, text)
    return text


def without_private(text: str, home: str = "", user: str = "", known: Sequence[str] = ()) -> str:
    """Return text without secrets, with the home folder as ``~`` and the user's name as ``<user>``."""
    home = home or str(Path.home())
    if len(home) > 1:
        text = text.replace(home, "~").replace(home.replace("\\", "\\\\"), "~")
    user = user or os.environ.get("USER", "") or os.environ.get("USERNAME", "")
    if len(user) > 2 and user != "root":
        text = re.sub(rf"(?<![\w]){re.escape(user)}(?![\w])", "<user>", text)
    return without_secrets(text, known)
