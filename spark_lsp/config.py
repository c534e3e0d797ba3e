"""Settings as frozen structs, one per package, and how they are put together from their sources.

This module is the one source of package.json's settings and of docs/configuration.md. It reads no files and never
refuses to start: an unknown or ill-typed value becomes its default plus one message that names the key, what was found
and what is allowed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import Meta

PositiveInt = Annotated[int, Meta(ge=1)]
NaturalInt = Annotated[int, Meta(ge=0)]
Chance = Annotated[float, Meta(ge=0, le=1)]


class BackendSettings(msgspec.Struct, frozen=True, rename="camel"):
    """Remote endpoints."""

    urls: Annotated[tuple[str, ...], Meta(description="OpenAI-compatible endpoints; empty: the local engine.")] = ()
    model: Annotated[str, Meta(description="The model's name on the endpoints.")] = ""
    api_key_env: Annotated[
        str, Meta(description="Name of the environment variable that holds the endpoints' API key.")
    ] = ""
    template: Annotated[
        str, Meta(description="FIM family of the endpoints' model; empty: derived from its name. See docs/models.md.")
    ] = ""
    context_tokens: Annotated[
        int,
        Meta(ge=0, le=1_048_576, description="Maximum prompt tokens for endpoints; 0: as they report, up to 32,768."),
    ] = 0
    ca_file: Annotated[str, Meta(description="Certificate file of your own authority, for the endpoints.")] = ""


class ContextSettings(msgspec.Struct, frozen=True, rename="camel"):
    """Prompts."""

    max_tokens: Annotated[
        int, Meta(ge=512, le=1_048_576, description="Maximum tokens of a prompt; slower machines use fewer.")
    ] = 131_072
    include: Annotated[
        tuple[str, ...], Meta(description="Globs of files to index; empty: every file that is not ignored.")
    ] = ()
    exclude: Annotated[tuple[str, ...], Meta(description="Globs of files that are never indexed.")] = ()


class CompletionSettings(msgspec.Struct, frozen=True, rename="camel"):
    """Inline completion."""

    enabled: Annotated[bool, Meta(description="Show suggestions. Off: no request reaches the engine.")] = True
    languages: Annotated[
        Mapping[str, bool], Meta(description="Languages to enable or disable, by language id; others are enabled.")
    ] = msgspec.field(default_factory=dict)
    exclude: Annotated[
        tuple[str, ...], Meta(description="Globs of files without suggestions, as in a .gitignore.")
    ] = ()
    max_lines: Annotated[int, Meta(ge=1, le=200, description="Maximum lines of a suggestion.")] = 12
    min_confidence: Annotated[
        Literal["auto"] | Chance,
        Meta(
            description="Probability of being right, as the model estimates it, below which a suggestion is "
            "shortened or hidden; 0 shows all, auto suits the model."
        ),
    ] = "auto"
    deadline_ms: Annotated[
        int,
        Meta(
            ge=50,
            le=60_000,
            description="Maximum time for an answer while you type, in ms; ten times that when triggered by hand.",
        ),
    ] = 600
    first_token_target_ms: Annotated[
        int,
        Meta(ge=20, le=60_000, description="Target time to the first token, in ms; decides the size of the prompt."),
    ] = 300
    in_comments: Annotated[bool, Meta(description="Show suggestions inside comments and strings.")] = True
    debounce: Annotated[
        Literal["auto"] | NaturalInt,
        Meta(description="Delay between a keystroke and the request, in ms; auto adapts to the latency."),
    ] = "auto"
    add_imports: Annotated[
        bool, Meta(description="Import the names of an accepted suggestion that one module of the workspace defines.")
    ] = True
    as_completion_item: Annotated[
        bool, Meta(description="Also offer suggestions in the completion menu, for editors without ghost text.")
    ] = False


class EngineSettings(msgspec.Struct, frozen=True, rename="camel"):
    """The engine process."""

    gpu_layers: Annotated[Literal["auto"] | NaturalInt, Meta(description="Maximum layers on the GPU; 0: none.")] = (
        "auto"
    )
    threads: Annotated[Literal["auto"] | PositiveInt, Meta(description="Threads for the model.")] = "auto"
    kv_type: Annotated[
        Literal["auto", "f16", "q8_0", "q4_0"],
        Meta(description="Type of the KV cache; auto: f16 on a CPU, q8_0 on a GPU."),
    ] = "auto"
    idle_minutes: Annotated[
        float, Meta(ge=0, le=10_080, description="Minutes without a client after which the engine frees its memory.")
    ] = 10.0
    memory_limit_bytes: Annotated[
        int, Meta(ge=0, description="Maximum memory for the model and its context, in bytes; 0: no limit.")
    ] = 0
    cache_bytes: Annotated[
        int, Meta(ge=0, description="Maximum disk space for KV cache files, which hold your code; 0: none.")
    ] = 4 * 1024**3


class ActionsSettings(msgspec.Struct, frozen=True, rename="camel"):
    """Code actions."""

    enabled: Annotated[bool, Meta(description="Offer code actions.")] = True
    assumptions: Annotated[
        Literal["ask", "always", "never"],
        Meta(
            description="Edits that rest on an assumption nobody has proved, such as that properties have no side "
            "effects; ask: only where the editor lets you confirm them."
        ),
    ] = "ask"


VerdictTool = Literal["mypy", "pyright", "basedpyright", "go", "javac"]


class VerdictSettings(msgspec.Struct, frozen=True, rename="camel"):
    """Type checkers and compilers that check an edit before it is offered."""

    tools: Annotated[
        tuple[VerdictTool, ...],
        Meta(
            description="Tools that check each edit of a code action where the workspace configures them; empty: none. "
            "They run on your machine with your rights: see docs/security.md."
        ),
    ] = ()
    paths: Annotated[
        Mapping[str, str],
        Meta(description="Absolute path of a tool's program, by its name; others are taken from your PATH."),
    ] = msgspec.field(default_factory=dict)
    time_limit_ms: Annotated[
        int, Meta(ge=100, le=600_000, description="Maximum time for the tools to check one edit, in ms.")
    ] = 20_000


class EditsSettings(msgspec.Struct, frozen=True, rename="camel"):
    """Next edits."""

    enabled: Annotated[bool, Meta(description="Suggest the edit that follows from the one just made.")] = True
    mode: Annotated[
        Literal["on", "subtle", "off"],
        Meta(description="How editors show next edits; subtle: a mark, and the edit once you press its key."),
    ] = "on"


class TelemetrySettings(msgspec.Struct, frozen=True, rename="camel"):
    """Statistics on this machine."""

    local: Annotated[bool, Meta(description="Keep statistics of suggestions in a local file. Nothing is sent.")] = True


class Settings(msgspec.Struct, frozen=True, rename="camel"):
    """All settings. Values are checked one by one, see ``resolve``."""

    model: Annotated[
        str,
        Meta(
            description="Model name or path of a GGUF file; empty: the best pulled model for the machine, else the "
            "embedded one (spark-nano)."
        ),
    ] = ""
    chat_model: Annotated[
        str,
        Meta(
            description="Model for code actions that follow an instruction, such as rewrite: name or path of a GGUF "
            "file with a chat template. Empty: `model` serves both. Not used with remote endpoints."
        ),
    ] = ""
    offer_model: Annotated[
        bool, Meta(description="Let an editor that uses the embedded model offer to download a better one.")
    ] = True
    backend: BackendSettings = BackendSettings()
    context: ContextSettings = ContextSettings()
    completion: CompletionSettings = msgspec.field(default_factory=CompletionSettings)
    engine: EngineSettings = EngineSettings()
    actions: ActionsSettings = ActionsSettings()
    verdict: VerdictSettings = msgspec.field(default_factory=VerdictSettings)
    edits: EditsSettings = EditsSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    engine_tokens: int = 0
    """No setting: ``context.maxTokens`` as the user has it where a repository's own file says less, else 0. The engine
    is opened with it, so that no repository makes another engine load the model again."""


@dataclass(frozen=True, slots=True)
class SettingsSource:
    """One place that settings come from.

    ``values`` nests as the settings do (``{"completion": {"maxLines": 3}}``) or uses dotted keys. A source that is not
    ``trusted`` comes from the repository's author: it may only narrow or tune.
    """

    name: str
    values: Mapping[str, Any]
    trusted: bool = True


@dataclass(frozen=True, slots=True)
class Setting:
    """One leaf of the settings tree: its dotted key, its type and its default."""

    key: str
    type: Any
    default: Any


_UNTRUSTED_KEYS = ("completion.", "context.")
_UNTRUSTED_EXACT = frozenset({"actions.enabled"})
_DERIVED = frozenset({"engine_tokens"})
_MAX_TOKENS = "context.maxTokens"
CLIENT_SECTIONS = frozenset({"server", "trace"})  # read by the editor's own extension, not by the server


def settings_keys() -> dict[str, Setting]:
    """List every setting by dotted key, in the order of the structs."""
    keys: dict[str, Setting] = {}
    hints = get_type_hints(Settings, include_extras=True)
    defaults = Settings()
    for field in msgspec.structs.fields(Settings):
        value = getattr(defaults, field.name)
        if field.name in _DERIVED:
            continue
        if not isinstance(value, msgspec.Struct):
            keys[field.encode_name] = Setting(field.encode_name, hints[field.name], value)
            continue
        section_hints = get_type_hints(type(value), include_extras=True)
        for leaf in msgspec.structs.fields(type(value)):
            key = f"{field.encode_name}.{leaf.encode_name}"
            keys[key] = Setting(key, section_hints[leaf.name], getattr(value, leaf.name))
    return keys


def resolve(sources: Sequence[SettingsSource]) -> tuple[Settings, list[str]]:
    """Merge sources, the first one that holds a usable value for a key wins; return settings and messages."""
    known = settings_keys()
    messages: list[str] = []
    chosen: dict[str, Any] = {}
    engine_tokens: int = known[_MAX_TOKENS].default
    is_named = False
    for source in sources:
        for key, value in _flatten(source.values, known):
            message = _refusal(source, key, value, known)
            if message:
                messages.append(message)
            elif key in known:
                converted = msgspec.convert(value, known[key].type, strict=source.name != "environment")
                chosen.setdefault(key, converted)
                if key == _MAX_TOKENS and source.trusted and not is_named:
                    engine_tokens, is_named = converted, True
    if chosen.get(_MAX_TOKENS, engine_tokens) == engine_tokens:
        return _build(chosen), messages
    chosen[_MAX_TOKENS] = min(chosen[_MAX_TOKENS], engine_tokens)
    return msgspec.structs.replace(_build(chosen), engine_tokens=engine_tokens), messages


def environment_source(environment: Mapping[str, str]) -> SettingsSource:
    """Read ``SPARK_LSP_COMPLETION_MAX_LINES`` and its like; lists are separated by commas."""
    values: dict[str, Any] = {}
    for key, setting in settings_keys().items():
        name = "SPARK_LSP_" + "".join(f"_{c}" if c.isupper() else c for c in key.replace(".", "_")).upper()
        if name in environment:
            raw = environment[name]
            is_list = isinstance(setting.default, tuple)
            values[key] = [part.strip() for part in raw.split(",") if part.strip()] if is_list else raw
    return SettingsSource("environment", values)


def _refusal(source: SettingsSource, key: str, value: Any, known: Mapping[str, Setting]) -> str:
    """Say in one sentence why a value cannot be used; empty when it can."""
    if key.split(".", maxsplit=1)[0] in CLIENT_SECTIONS:
        return ""
    if key not in known:
        return f"spark.{key} in {source.name} is not a setting; see docs/configuration.md for the list."
    if not source.trusted and not key.startswith(_UNTRUSTED_KEYS) and key not in _UNTRUSTED_EXACT:
        return (
            f"spark.{key} in {source.name} is ignored: a workspace file may only set completion.*, context.* and "
            "actions.enabled. Set it in your editor or environment."
        )
    try:
        msgspec.convert(value, known[key].type, strict=source.name != "environment")
    except msgspec.ValidationError as error:
        reason = str(error).split(" - at ")[0]
        # The value of a variable is not repeated: it may be a password that was meant for another one.
        problem = "does not fit" if source.name == "environment" else f"is {value!r}"
        return f"spark.{key} in {source.name} {problem}: {reason}; the default {known[key].default!r} is used."
    return ""


def _flatten(values: Mapping[str, Any], known: Mapping[str, Setting], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in values.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and key not in known and any(k.startswith(f"{key}.") for k in known):
            yield from _flatten(value, known, f"{key}.")
        elif value is not None:
            yield key, value


def _build(chosen: Mapping[str, Any]) -> Settings:
    """Put checked leaves into the structs."""
    top: dict[str, Any] = {}
    defaults = Settings()
    for field in msgspec.structs.fields(Settings):
        value = getattr(defaults, field.name)
        if not isinstance(value, msgspec.Struct):
            top[field.name] = chosen.get(field.encode_name, value)
            continue
        leaves = {
            leaf.name: chosen[f"{field.encode_name}.{leaf.encode_name}"]
            for leaf in msgspec.structs.fields(type(value))
            if f"{field.encode_name}.{leaf.encode_name}" in chosen
        }
        top[field.name] = msgspec.structs.replace(value, **leaves)
    return Settings(**top)
