"""Secrets in a text: the shapes that their issuers made recognisable, and values that a name calls a secret.

A text that holds a token of a known shape, or that is a file of credentials, stays out of the index. Of any other text
the values alone are masked where the text is shown to a model. Nothing guesses by entropy.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

SecretShape = tuple[str, re.Pattern[str]]
MASK: Final = "*"

_PREFIXED: Final = (
    ("AKIA", r"\bAKIA(?![0-9A-Z]*EXAMPLE)[0-9A-Z]{16}\b"),
    ("ASIA", r"\bASIA(?![0-9A-Z]*EXAMPLE)[0-9A-Z]{16}\b"),
    *((f"gh{kind}_", rf"\bgh{kind}_[A-Za-z0-9]{{36}}") for kind in "pousr"),
    ("github_pat_", r"\bgithub_pat_\w{60}"),
    *((f"{kind}-", rf"\b{kind}-[\w-]{{20}}") for kind in ("glpat", "glptt", "glrt", "gldt", "glsoat", "glcbt")),
    ("xox", r"\bxox[abeoprs]-[0-9]{8,}-[0-9A-Za-z-]{10,}"),
    ("xapp-", r"\bxapp-[0-9]-[A-Z0-9]{8,}-[0-9A-Za-z-]{18,}"),
    ("_live_", r"\b[rs]k_live_[0-9A-Za-z]{20}"),
    ("whsec_", r"\bwhsec_(?=[A-Za-z0-9]*[0-9])[A-Za-z0-9]{24}"),
    ("AIza", r"\bAIza[0-9A-Za-z_-]{35}\b"),
    ("ya29.", r"\bya29\.(?=[\w-]*[0-9])[\w-]{24}"),
    ("GOCSPX-", r"\bGOCSPX-[\w-]{28}"),
    ("sk-", r"\bsk-(?:proj-|ant-[a-z0-9]+-)?(?=[\w-]*[0-9])(?=[\w-]*[A-Z])[A-Za-z0-9_-]{40}"),
    ("npm_", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("pypi-AgEI", r"\bpypi-AgEI[\w-]{50}"),
    ("rubygems_", r"\brubygems_[0-9a-f]{48}\b"),
    ("SG.", r"\bSG\.[\w-]{22}\.[\w-]{43}"),
    ("hf_", r"\bhf_(?=[A-Za-z0-9]*[A-Z])[A-Za-z0-9]{34}"),
    ("eyJ", r"\beyJ[\w-]{15,}\.eyJ[\w-]{15,}\.[\w-]{20,}"),
    ("sq0", r"\bsq0[a-z]{3}-[\w-]{22,}"),
    ("-us", r"-us(?<=\b[0-9a-f]{32}-us)[0-9]{1,2}\b"),
    ("key-", r"\bkey-[0-9a-f]{32}\b"),
    ("xkeysib-", r"\bxkeysib-[0-9a-f]{64}-\w{16}"),
    ("dop_v1_", r"\bdop_v1_[0-9a-f]{64}\b"),
    ("doo_v1_", r"\bdoo_v1_[0-9a-f]{64}\b"),
    *((f"{kind}_", rf"\b{kind}_[0-9a-fA-F]{{32}}\b") for kind in ("shpat", "shpca", "shppa", "shpss")),
    ("ATATT3", r"\bATATT3[\w-]{40,}"),
    ("ATCTT3", r"\bATCTT3[\w-]{40,}"),
    ("AGE-SECRET-KEY-1", r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b"),
    ("hvs.", r"\bhvs\.(?=[\w-]*[0-9A-Z])[\w-]{24}"),
    ("hvb.", r"\bhvb\.(?=[\w-]*[0-9A-Z])[\w-]{24}"),
    ("dapi", r"\bdapi[0-9a-f]{32}\b"),
    ("dp.pt.", r"\bdp\.pt\.[A-Za-z0-9]{40}"),
    ("NRAK-", r"\bNRAK-[A-Z0-9]{27}\b"),
    ("PMAK-", r"\bPMAK-[0-9a-f]{24}-[0-9a-f]{34}\b"),
    ("lin_api_", r"\blin_api_[A-Za-z0-9]{36}"),
    ("glsa_", r"\bglsa_[A-Za-z0-9]{32}_[0-9a-f]{8}\b"),
    ("glc_", r"\bglc_eyJ[A-Za-z0-9]{14,}"),
    ("gsk_", r"\bgsk_(?=[A-Za-z0-9]*[0-9])[A-Za-z0-9]{48}"),
    ("r8_", r"\br8_(?=[A-Za-z0-9]*[A-Z])[A-Za-z0-9]{36}"),
    ("figd_", r"\bfigd_(?=[\w-]*[0-9])[\w-]{40}"),
    ("pul-", r"\bpul-[0-9a-f]{40}\b"),
    ("sntrys_", r"\bsntrys_eyJ[A-Za-z0-9]{14,}"),
    ("nvapi-", r"\bnvapi-(?=[\w-]*[0-9])[\w-]{60}"),
    ("pplx-", r"\bpplx-(?=[A-Za-z0-9]*[0-9])[A-Za-z0-9]{40}"),
    ("fo1_", r"\bfo1_(?=[\w-]*[0-9])[\w-]{40}"),
    ("AKCp", r"\bAKCp[0-9A-Za-z]{60}"),
    ("EZAK", r"\bEZAK(?=[A-Za-z0-9]*[0-9])[A-Za-z0-9]{54}"),
    ("SK", r"\bSK[0-9a-f]{32}\b"),
    (":AA", r":AA(?:(?<=\b[0-9]{8}:AA)|(?<=\b[0-9]{9}:AA)|(?<=\b[0-9]{10}:AA))[\w-]{33}\b"),
)
_ELSEWHERE: Final = (
    ("fm2_", r"\bfm2_(?=[A-Za-z0-9+/]*[0-9])[A-Za-z0-9+/]{40}"),
    ("Q~", r"[0-9]Q~[\w.~-]{31,34}(?![\w.~-])"),
    # A header alone is code that handles keys; a header and base64 after it is a key.
    ("PRIVATE KEY", r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----[^-]{0,200}?[A-Za-z0-9+/=]{40}"),
    ("AccountKey=", r"\bAccountKey=[A-Za-z0-9+/]{80,}={0,2}"),
    ("SharedAccessKey=", r"\bSharedAccessKey=[A-Za-z0-9+/]{40,}={0,2}"),
    ("hooks.slack", r"\bhooks\.slack\.com/services/T\w{8,}/B\w{8,}/\w{20,}"),
    ("api/webhooks/", r"\bdiscord(?:app)?\.com/api/webhooks/[0-9]{17,20}/[\w-]{20,}"),
    ("sig=", r"[?&]sig=[A-Za-z0-9%+/]{20,}(?:%3[dD]|=)"),
    *(
        (name, rf"{name}\W{{1,4}}(?![A-Za-z0-9/+]*EXAMPLE)[A-Za-z0-9/+]{{40}}(?![A-Za-z0-9/+])")
        for name in ("SECRET_ACCESS_KEY", "secret_access_key", "secretAccessKey", "SecretAccessKey")
    ),
    # Files that are credentials whatever they are called: a Kubernetes secret, kubeconfig, docker's logins.
    ("kind: Secret", r"(?m)^kind: Secret\s*$(?=[\s\S]{0,4000}^(?:data|stringData):\s*$)"),
    ("client-key-data:", r"\bclient-key-data: *[A-Za-z0-9+/=]{40}"),
    ('"auths"', r'"auths"\s*:\s*\{[\s\S]{0,2000}?"auth"\s*:\s*"[A-Za-z0-9+/=]{8,}"'),
)  # fmt: skip

SHAPES: Final[tuple[SecretShape, ...]] = tuple(
    # A literal that must stand in the text, then the shape around it: the search for literals costs next to nothing.
    # What begins with its literal is found a hundred times faster than what begins with the edge of a word, so that
    # comes after.
    (literal, re.compile(shape.replace(rf"\b{literal}", rf"{literal}(?<=\b{literal})", 1)))
    for literal, shape in (*_PREFIXED, *_ELSEWHERE)
)
NOT_IN_A_WORD: Final = frozenset(literal for literal, _ in _ELSEWHERE)
"""The literals of shapes that are not one long word, or whose literal is not its beginning."""

# -- values that a name calls a secret --------------------------------------------------------------------------------

_WORDS: Final = (
    *("password", "passwd", "passphrase", "pwd", "pass", "secret", "token", "credential"),
    *("api_key", "api-key", "apikey", "access_key", "access-key", "accesskey", "auth_key", "authkey", "private_key"),
    *("privatekey", "signing_key", "signingkey", "encryption_key", "encryptionkey", "account_key", "accountkey"),
    *("master_key", "masterkey", "shared_key", "sharedkey", "secretkey", "_auth"),
)
"""The last words of names that hold secrets, each the place where a rule is tried: a search for them is fast."""
_PASSWORDS: Final = frozenset({"password", "passwd", "passphrase", "pwd", "pass"})
_SHORT: Final = frozenset({"pass", "pwd"})
_END: Final = r"(?:[_-]?(?:key|base|value|id|s|[0-9]))*"
_QUOTED: Final = re.compile(
    rf"(?i){_END}(?:[\"']?\]?(?:\s*:\s*[a-z]\w*|[ \t]+string)?\s*(?:=>|:=|=|:)|(?P<argument>[\"'])\s*,)"
    r"\s*[rbfu@$]?(?P<quote>[\"'])"
    r"(?P<value>[^\"'\n\\]{6,200})(?P=quote)"
)
_BARE: Final = re.compile(rf"(?i){_END}[\"']?[ \t]*[=:][ \t]*(?P<value>[^\s\"'#]{{6,200}})[ \t]*\r?$", re.MULTILINE)
_IN_CONNECTION: Final = re.compile(r"\s*=\s*(?P<value>[^;\"'\s{}<>]{4,100})(?=[;\"'])")
_CONNECTION_BEGINS: Final = frozenset(";\"'")
_IN_ADDRESS: Final = re.compile(r"://[^\s/:@\"'<>()\\]{0,80}:(?P<value>[^\s/@\"'<>()\[\]\\]{3,200})@[\w.-]+")
_HEADERS: Final = ("authorization", "x-api-key", "x-auth-token")
_IN_HEADER: Final = re.compile(
    r"(?i)[\w-]+[\"'\]]*\s*[:=,]\s*(?:[rbfu]?[\"'`](?:(?:basic|bearer|token)\s+)?|(?:basic|bearer|token)\s+)"
    r"(?P<value>[A-Za-z0-9+/=_.~-]{12,})"
)
_MAX_NAME_CHARS: Final = 80
_ARGUMENT: Final = re.compile(r"\(\s*[\"'][\w.-]*$")
_NOT_SECRET: Final = re.compile(
    r"(?i)(?:public[_-]?(?:key)?|change|idempotency|next|client|request|page|continuation|update|csrf\w*)[_-]?$"
)
"""What a name begins with whose token or key is none: a place in a list, an identity of a request."""
_LINE_BEGIN: Final = re.compile(r"(?i)[ \t]*(?:export[ \t]+|set[ \t]+|-[ \t]+)?[\"']?[\w.-]{0,60}")
_BOT: Final = re.compile(r"(?<![\w-])[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,40}(?![\w-])")  # Discord's
_PLACEHOLDERS: Final = frozenset(
    """
    abc abcdef admin apikey bar baz changeit changeme default dummy example foo foobar hidden key mykey mypassword
    mysecret mytoken none null pass passphrase passwd password placeholder pwd redacted root sample secret string test
    testing token undefined user username value xxx yourapikey yourkey yourpassword yoursecret yourtoken
    """.split()  # noqa: SIM905 - a list of forty strings is no easier to read
)
_LETTERS: Final = re.compile(r"[^a-z]+")
_FILLED_IN: Final = re.compile(
    r"\$\{|\{\{|\{\w*\}|%\(|%s|<[\w -]+>|\$\w+$|x{4,}|\*{3,}|\.{3}|[0-9a-z]*example", re.IGNORECASE
)
_NAME_ONLY: Final = re.compile(r"arn:.*|[A-Za-z_]+(?:[._/:-][A-Za-z_]*)*|[A-Z][A-Z0-9_]*|[\d.,:/ -]+")
CACHED_CHARS: Final = 4_000
"""Of a text that may be masked again at the next key: a snippet. 4,096 of them take 16 MB at worst."""
MIN_KEY_CHARS: Final = 16
"""Of a value that is called a key or a token; a shorter one is a word of some grammar more often than a secret."""


def has_secret(text: str, shapes: Iterable[SecretShape] = SHAPES) -> bool:
    """Whether a text holds a private key or a token of a well-known shape, or is a file of credentials."""
    return any(literal in text and shape.search(text) for literal, shape in shapes)


def masked(text: str, *, is_code: bool = True) -> str:
    """Return a text of the same length and the same lines, with asterisks for the characters of each secret.

    In what is no code, values without quotes count too: ``password: hunter2``.
    """
    return _masked_once(text, is_code) if len(text) <= CACHED_CHARS else _masked(text, is_code)


@lru_cache(maxsize=4_096)
def _masked_once(text: str, is_code: bool) -> str:
    return _masked(text, is_code)


def values_masked(text: str, *, is_code: bool = True) -> str:
    """Do as ``masked``, but leave the shapes alone: for a text without them, in a fraction of the time."""
    return _covered(text, _valued(text, is_code=is_code))


def _masked(text: str, is_code: bool) -> str:
    return _covered(text, (*_shaped(text), *_valued(text, is_code=is_code)))


def _covered(text: str, places: Iterable[tuple[int, int]]) -> str:
    spans = sorted(set(places))
    if not spans:
        return text
    pieces, end = [], 0
    for first, last in spans:
        if last > end:
            secret = text[max(first, end) : last]
            pieces += [text[end:first], "".join(char if char in "\r\n" else MASK for char in secret)]
            end = last
    return "".join([*pieces, text[end:]])


def _shaped(text: str) -> Iterator[tuple[int, int]]:
    for literal, shape in SHAPES:
        if literal in text:
            yield from (match.span() for match in shape.finditer(text))


def _valued(text: str, *, is_code: bool) -> Iterator[tuple[int, int]]:
    lower = text.lower()
    if len(lower) != len(text):  # a few letters have a longer small form, and places would not fit
        lower = "".join(char.lower() if char.isascii() else char for char in text)
    for word in _WORDS:
        for start, end in _places(lower, word):
            if not (word in _SHORT and text[start - 1 : start + 1].isalpha() and not text[start].isupper()):
                yield from _named(text, start, end, is_password=word in _PASSWORDS, is_code=is_code)
    for header in _HEADERS:
        for start, _ in _places(lower, header):
            match = _IN_HEADER.match(text, start)
            if match and _is_encoded(match["value"]) and not _is_placeholder(match["value"]):
                yield match.span("value")
    yield from _addressed(text, lower)


def _addressed(text: str, lower: str) -> Iterator[tuple[int, int]]:
    """Yield the places of passwords in addresses, and of bots' keys."""
    if "token" in lower or "bot" in lower:
        yield from (match.span() for match in _BOT.finditer(text))
    for start, _ in _places(lower, "://"):
        match = _IN_ADDRESS.match(text, start)
        if match and not _is_placeholder(match["value"]):
            yield match.span("value")


def _named(text: str, start: int, end: int, *, is_password: bool, is_code: bool) -> Iterator[tuple[int, int]]:
    """Yield the place of the value after a word at a place."""
    before = text[text.rfind("\n", 0, start) + 1 : start][-_MAX_NAME_CHARS:]
    match = _QUOTED.match(text, end)
    if match and match["argument"] and not _ARGUMENT.search(before):
        return
    if match is None and not is_code and _LINE_BEGIN.fullmatch(before):
        match = _BARE.match(text, end)
    if match is None and is_password and before[-1:] in _CONNECTION_BEGINS:
        match = _IN_CONNECTION.match(text, end)
    if match and _is_secret_value(match["value"], is_password=is_password) and not _NOT_SECRET.search(before):
        yield match.span("value")


def _places(text: str, word: str) -> Iterator[tuple[int, int]]:
    start = text.find(word)
    while start >= 0:
        yield start, start + len(word)
        start = text.find(word, start + 1)


def _is_secret_value(value: str, *, is_password: bool) -> bool:
    """Whether a value that a name calls a secret is one, and not a word, a template, a path or a sentence."""
    if _is_placeholder(value) or " " in value or "(" in value or _NAME_ONLY.fullmatch(value):
        return False
    return is_password or (len(value) >= MIN_KEY_CHARS and _is_mixed(value))


def _is_placeholder(value: str) -> bool:
    return bool(_FILLED_IN.search(value)) or _LETTERS.sub("", value.lower()) in _PLACEHOLDERS


def _is_mixed(value: str) -> bool:
    return any(char.isdigit() for char in value) and any(char.isalpha() for char in value)


def _is_encoded(value: str) -> bool:
    return _is_mixed(value) or value.endswith("=")
