"""Names and contents that look like secrets. Such files never enter index, prompt or cache.

Kept small: a few names, and the token shapes whose issuers gave them a fixed prefix. It never guesses by entropy, which
would drop test data and hashes.
"""

import re
from collections.abc import Iterable, Sequence
from fnmatch import translate

import numpy as np

_NAMES = (
    *(".env", ".env.*", "*.env", ".envrc", ".netrc", "_netrc", ".npmrc", ".pypirc", ".pgpass", ".my.cnf", ".htpasswd"),
    *(".git-credentials", ".dockercfg", ".vault-token", ".yarnrc.yml", "kubeconfig", "credentials", "credentials.json"),
    *("credentials.y*ml", "credentials.ini", "credentials.csv", "secrets.json", "secrets.y*ml", "secrets.toml"),
    *("secrets.ini", "service-account*.json", "service_account*.json", "client_secret*.json", "id_rsa*", "id_dsa*"),
    *("id_ecdsa*", "id_ed25519*", "*.pem", "*.key", "*.p8", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx"),
    *("*.ovpn", "*.ppk", "*.tfvars", "*.tfstate", "*.tfstate.backup", "master.key", "*.asc", "*.gpg"),
)
_HARMLESS = (".env.example", ".env.sample", ".env.template", ".env.dist", "id_rsa*.py", "id_*.pub")

# A literal that must stand in the text, then the shape around it: the search for literals costs next to nothing. What
# begins with its literal is found a hundred times faster than what begins with the edge of a word, so that comes after.
Shape = tuple[str, re.Pattern[str]]
SHAPES: tuple[Shape, ...] = tuple(
    (literal, re.compile(shape.replace(rf"\b{literal}", rf"{literal}(?<=\b{literal})", 1)))
    for literal, shape in (
        # A header alone is code that handles keys; a header and base64 after it is a key.
        ("PRIVATE KEY", r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----[^-]{0,200}?[A-Za-z0-9+/=]{40}"),
        ("AKIA", r"\bAKIA(?![0-9A-Z]*EXAMPLE)[0-9A-Z]{16}\b"),
        ("ASIA", r"\bASIA(?![0-9A-Z]*EXAMPLE)[0-9A-Z]{16}\b"),
        *((f"gh{kind}_", rf"\bgh{kind}_[A-Za-z0-9]{{36}}") for kind in "pousr"),
        ("github_pat_", r"\bgithub_pat_\w{60}"),
        ("glpat-", r"\bglpat-[\w-]{20}"),
        ("xox", r"\bxox[abeoprs]-[0-9]{8,}-[0-9A-Za-z-]{10,}"),
        ("_live_", r"\b[rs]k_live_[0-9A-Za-z]{20}"),
        ("AIza", r"\bAIza[0-9A-Za-z_-]{35}\b"),
        ("sk-", r"\bsk-(?:proj-|ant-[a-z0-9]+-)?(?=[\w-]*[0-9])(?=[\w-]*[A-Z])[A-Za-z0-9_-]{40}"),
        ("npm_", r"\bnpm_[A-Za-z0-9]{36}\b"),
        ("pypi-AgEI", r"\bpypi-AgEI[\w-]{50}"),
        ("SG.", r"\bSG\.[\w-]{22}\.[\w-]{43}"),
        ("hf_", r"\bhf_[A-Za-z]{34}\b"),
        ("eyJ", r"\beyJ[\w-]{15,}\.eyJ[\w-]{15,}\.[\w-]{20,}"),
        ("AccountKey=", r"\bAccountKey=[A-Za-z0-9+/]{80,}={0,2}"),
        ("hooks.slack", r"\bhooks\.slack\.com/services/T\w{8,}/B\w{8,}/\w{20,}"),
        ("SECRET_ACCESS_KEY", r"SECRET_ACCESS_KEY\W{1,4}(?![A-Za-z0-9/+]*EXAMPLE)[A-Za-z0-9/+]{40}\b"),
        ("secret_access_key", r"secret_access_key\W{1,4}(?![A-Za-z0-9/+]*EXAMPLE)[A-Za-z0-9/+]{40}\b"),
        ("GOCSPX-", r"\bGOCSPX-[\w-]{28}"),
        ("sq0", r"\bsq0[a-z]{3}-[\w-]{22,}"),
        ("-us", r"-us(?<=\b[0-9a-f]{32}-us)[0-9]{1,2}\b"),
        ("dop_v1_", r"\bdop_v1_[0-9a-f]{64}\b"),
        ("shpat_", r"\bshpat_[0-9a-fA-F]{32}\b"),
        ("ATATT3", r"\bATATT3[\w-]{40,}"),
        ("AGE-SECRET-KEY-1", r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b"),
    )
)


_IN_NO_RUN = ("PRIVATE KEY", "SECRET_ACCESS_KEY", "secret_access_key", "AccountKey=", "hooks.slack")  # literals
_MIN_RUN = len("eyJ") + 15
_BEFORE = len("SG.")  # stands right before the run of its shape
_IN_RUN = bytes(byte >= 0x80 or chr(byte).isalnum() or chr(byte) in "_-" for byte in range(256))


def any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """Return one expression for many shell patterns: the walk asks for each file of the workspace."""
    return re.compile("|".join(translate(pattern) for pattern in patterns))


_SECRET_NAME, _HARMLESS_NAME = any_of(_NAMES), any_of(_HARMLESS)


def is_secret_name(name: str) -> bool:
    """Whether a file name is one that secrets are kept under."""
    name = name.lower()
    return bool(_SECRET_NAME.match(name)) and not _HARMLESS_NAME.match(name)


def has_secret(text: str, shapes: Iterable[Shape] = SHAPES) -> bool:
    """Whether a text holds a private key or a token of a well-known shape."""
    return any(literal in text and shape.search(text) for literal, shape in shapes)


def suspected(texts: Sequence[str]) -> list[Shape]:
    """Return the shapes that one of these texts may hold: none, as a rule.

    Takes a fifth of the time of asking each text for each: all shapes but a few have a long run of letters, digits and
    the like. Such runs are a small part of most texts, and in them alone thirty literals are searched for.
    """
    joined = "\n".join(["", *texts, ""])
    raw = joined.encode("utf-8", "surrogatepass")
    is_in = np.frombuffer(raw.translate(_IN_RUN), np.bool_)
    edges = np.flatnonzero(is_in[1:] != is_in[:-1]) + 1
    long = 2 * np.flatnonzero(edges[1::2] - edges[::2] >= _MIN_RUN)
    places = zip(edges[long].tolist(), edges[long + 1].tolist(), strict=True)
    runs = b"\n".join({raw[max(0, start - _BEFORE) : end] for start, end in places}).decode("utf-8", "replace")
    return [shape for shape in SHAPES if shape[0] in (joined if shape[0] in _IN_NO_RUN else runs)]
