"""The endpoints of a remote model: addresses, the one a workspace prefers, and which of them answer. Pure.

Rendezvous hashing (Thaler and Ravishankar, 1998): each workspace ranks all endpoints by a hash of both. So it keeps the
endpoint that has its prompts in the cache, and when one is gone only its workspaces move.
"""

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from spark_lsp.errors import SettingsError

FIRST_REST_S: Final = 1.0
MAX_REST_S: Final = 30.0
"""How long an endpoint that failed is left alone: twice as long each time, so that it is found again soon."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where an endpoint is. ``url`` ends in its version, without a slash."""

    url: str
    host: str
    is_encrypted: bool

    @property
    def is_local(self) -> bool:
        """Whether it is this machine, which nothing leaves."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def origin(self) -> str:
        """What consent is given to: the host, and whether others on the way can read along."""
        return f"{'https' if self.is_encrypted else 'http'}://{self.host}"


def address_of(url: str) -> Address:
    """Read an endpoint's address; a missing version is ``/v1``.

    Raises:
        SettingsError: it is none.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise SettingsError(f"spark.backend.urls holds {url!r}, which is not an address: {error}.") from error
    if parts.scheme not in {"http", "https"} or not host:
        raise SettingsError(
            f"spark.backend.urls holds {url!r}; an address looks like https://models.example.com:8000/v1."
        )
    if parts.username or parts.password:
        raise SettingsError(
            f"spark.backend.urls holds a name or password for {host}; it would be written to logs.",
            fix="Put the key into an environment variable and its name into spark.backend.apiKeyEnv.",
        )
    if parts.query or parts.fragment:
        raise SettingsError(f"spark.backend.urls holds an address of {host} with ? or #, which no endpoint has.")
    path = parts.path.rstrip("/")
    shown = f"[{host}]" if ":" in host else host
    place = f"{shown}:{port}" if port else shown
    return Address(f"{parts.scheme}://{place}{path or '/v1'}", host, parts.scheme == "https")


def ranked(addresses: Sequence[Address], workspace: str) -> list[Address]:
    """Return the endpoints in the order in which a workspace prefers them: always the same for the same workspace."""

    def weight(address: Address) -> bytes:
        return hashlib.blake2b(f"{workspace}\0{address.url}".encode("utf-8", "replace"), digest_size=8).digest()

    return sorted(addresses, key=weight, reverse=True)


@dataclass(slots=True)
class Health:
    """Whether an endpoint answers. ``failure`` is "" while it does, else what was wrong in words without content."""

    address: Address
    failure: str = ""
    failures: int = 0
    rests_until: float = 0.0
    plain: bool = False
    """Whether it refused fields that only some servers know, so that requests omit them."""
    known: bool = field(default=False)
    """Whether it has ever answered."""

    def rests(self, now: float) -> bool:
        """Whether it is left alone for the moment."""
        return now < self.rests_until

    def failed(self, failure: str, now: float) -> None:
        """Note a failure and leave it alone for a while."""
        self.failure = failure
        rest = min(MAX_REST_S, FIRST_REST_S * 2.0 ** min(self.failures, 10))
        self.failures += 1
        self.rests_until = now + rest

    def answered(self, *, plain: bool | None = None) -> None:
        """Note that it answers, and, where that is known, whether it has to be asked without unusual fields."""
        if plain is not None:
            self.plain = plain
        self.failure, self.failures, self.rests_until, self.known = "", 0, 0.0, True


def to_ask(endpoints: Sequence[Health], now: float) -> list[Health]:
    """Return the endpoints to try, in order: those that answer, then, so that none is given up, the others."""
    awake = [endpoint for endpoint in endpoints if not endpoint.rests(now)]
    asleep = [endpoint for endpoint in endpoints if endpoint.rests(now)]
    return awake + sorted(asleep, key=lambda endpoint: endpoint.rests_until)
