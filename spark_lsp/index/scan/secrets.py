"""Names of files that usually contain secrets, and a fast search for the shapes of secrets in many texts at once.

Such files never enter index, prompt or cache. The shapes are in ``spark_lsp/secret_text.py``.
"""

import re
from collections.abc import Iterable, Sequence
from fnmatch import translate

import numpy as np

from spark_lsp.secret_text import NOT_IN_A_WORD, SHAPES, SecretShape

_NAMES = (
    *(".env", ".env.*", "*.env", ".envrc", ".netrc", "_netrc", ".npmrc", ".pypirc", ".pgpass", ".my.cnf", ".htpasswd"),
    *(".git-credentials", ".dockercfg", ".vault-token", ".yarnrc.yml", "kubeconfig", "credentials", "credentials.json"),
    *("credentials.y*ml", "credentials.ini", "credentials.csv", "secrets.json", "secrets.y*ml", "secrets.toml"),
    *("secrets.ini", "service-account*.json", "service_account*.json", "client_secret*.json", "id_rsa*", "id_dsa*"),
    *("id_ecdsa*", "id_ed25519*", "*.pem", "*.key", "*.p8", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx"),
    *("*.ovpn", "*.ppk", "*.tfvars", "*.tfstate", "*.tfstate.backup", "master.key", "*.asc", "*.gpg"),
)
_HARMLESS = (".env.example", ".env.sample", ".env.template", ".env.dist", "id_rsa*.py", "id_*.pub")

_MIN_RUN = len("eyJ") + 15
_BEFORE = len("dp.pt.")  # what of a literal may stand right before the run of its shape
_IN_RUN = bytes(byte >= 0x80 or chr(byte).isalnum() or chr(byte) in "_-" for byte in range(256))


def any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """Return one expression for many shell patterns: the walk asks for each file of the workspace."""
    return re.compile("|".join(translate(pattern) for pattern in patterns))


_SECRET_NAME, _HARMLESS_NAME = any_of(_NAMES), any_of(_HARMLESS)


def is_secret_name(name: str) -> bool:
    """Whether a file name is one that secrets are kept under."""
    name = name.lower()
    return bool(_SECRET_NAME.match(name)) and not _HARMLESS_NAME.match(name)


def suspected(texts: Sequence[str]) -> list[SecretShape]:
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
    return [shape for shape in SHAPES if shape[0] in (joined if shape[0] in NOT_IN_A_WORD else runs)]
