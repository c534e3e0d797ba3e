"""Checks before a remote endpoint is used: the user's consent, the key, and the FIM family of its model."""

import os
from collections.abc import Sequence

import msgspec

from spark_lsp.engine.fim import FimFamily, Order, family_for_model, family_named
from spark_lsp.engine.remote.consent import allow, allowed_origins
from spark_lsp.engine.remote.hosts import Address, Health
from spark_lsp.engine.remote.http import ANSWER_S
from spark_lsp.errors import ConsentNeeded, SettingsError


class RemoteLaunch(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings say of remote endpoints. ``workspace`` names who asks, so that it keeps to one endpoint."""

    urls: tuple[str, ...]
    model: str = ""
    api_key_env: str = ""
    template: str = ""
    context_tokens: int = 0
    ca_file: str = ""
    workspace: str = ""
    answer_s: float = ANSWER_S


def key_of(name: str) -> str:
    """Return the key that an environment variable holds; "" where none is named.

    Raises:
        SettingsError: there is no such variable, or no key in it.
    """
    if not name:
        return ""
    key = os.environ.get(name, "").strip()
    if not key:
        raise SettingsError(
            f"spark.backend.apiKeyEnv names {name}, but there is no such environment variable here.",
            fix="Set it where your editor is started from.",
        )
    if not key.isascii() or not key.isprintable():
        raise SettingsError(f"The environment variable {name} does not hold a valid key.")
    return key


def check_consent(addresses: Sequence[Address]) -> None:
    """Refuse hosts of other machines to which the user has not let code go. Reads a file.

    Raises:
        ConsentNeeded: there is such a host; its ``grant`` remembers the user's consent.
    """
    known = allowed_origins()
    asked = list(dict.fromkeys(address.origin for address in addresses if not address.is_local))
    missing = [origin for origin in asked if origin not in known]
    if missing:
        hosts = ", ".join(missing)
        raise ConsentNeeded(
            f"Your settings name a remote model at {hosts}: the code around your cursor and parts of your workspace "
            "would be sent there. You have not allowed that yet.",
            fix=f"Allow it with `spark-lsp remote allow {' '.join(missing)}`, or empty spark.backend.urls.",
            grant=lambda: allow(missing),
        )


def family_of(template: str, name: str) -> tuple[FimFamily | None, Order, list[str]]:
    """Return family and order by the setting, else by the model's name, and what the user should know of it.

    Raises:
        SettingsError: the setting names no family.
    """
    if template:
        family_name, _, order = template.partition(":")
        family = family_named(family_name)
        if family is None or order not in {"", "psm", "spm"}:
            raise SettingsError(
                f"spark.backend.template is {template!r}, which is not a family in docs/models.md.",
                fix="Use the name of a family, followed by ':psm' or ':spm' if the model needs another order.",
            )
        return family, "spm" if (order or family.order) == "spm" else "psm", []
    known_family = family_for_model(name)
    if known_family is None:
        note = f"No model family is known for the name {name}; set it in spark.backend.template."
        return None, "psm", [note]
    return *known_family, []


def health_notes(endpoints: Sequence[Health]) -> tuple[str, ...]:
    """Say which endpoints do not answer at the moment."""
    return tuple(f"{endpoint.address.host} {endpoint.failure}." for endpoint in endpoints if endpoint.failure)
