"""``spark-lsp engine serve-openai``: the engine behind OpenAI's HTTP API, on this machine, with a token."""

import asyncio
import logging
import shlex
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import platformdirs

from spark_lsp.app import open_chat_engine, open_engine
from spark_lsp.catalog.model_names import default_model, known_model
from spark_lsp.cli.oneshot import settings_of
from spark_lsp.cli.terminal import SafeFormatter, err
from spark_lsp.config import Settings
from spark_lsp.engine.local.address import runtime_folder
from spark_lsp.errors import SettingsError
from spark_lsp.openai_api.running import TOKEN_FILE, forget, is_loopback, record, token_of

if TYPE_CHECKING:
    from spark_lsp.openai_api.service import Service

REQUIREMENTS: Final = ("starlette>=0.50,<2", "uvicorn>=0.35,<1")
"""What the extra ``server`` of the package holds; a test compares."""
_KEEP_ALIVE_S = 5
_HEADER_BYTES = 16 * 1024


def run_endpoint(host: str, port: int, model: str, *, is_exposed: bool) -> None:
    """Serve until a signal ends it.

    Raises:
        SettingsError: the address cannot be used, or a package is missing.
        ModelMissing: a model's file is not there.
    """
    if not is_loopback(host) and not is_exposed:
        raise SettingsError(
            f"{host} can be reached from other machines.", fix="Add --expose if that is what you want, or leave --host."
        )
    settings = settings_of(None, model)
    if settings.backend.urls:
        raise SettingsError(
            "The settings name a remote endpoint (spark.backend.urls), and only a model of this machine is served.",
            fix="Give your tools that endpoint's own address.",
        )
    token = token_of(token_folder())
    service = _service(settings, token)
    logging.basicConfig(level=logging.WARNING)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(SafeFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    with _listening(host, port) as listener:
        url = _url(listener)
        folder = runtime_folder()
        record(folder, url, loopback=is_loopback(host))
        _tell(url, loopback=is_loopback(host))
        try:
            asyncio.run(_serve(service, listener))
        finally:
            forget(folder)


def token_folder() -> Path:
    """Return the folder of the token."""
    return Path(platformdirs.user_state_dir("spark-lsp"))


def served_name(settings: Settings) -> str:
    """Return the name that clients call a model: that of the catalogue, else that of its file."""
    wanted = settings.model.strip() or default_model(settings.engine.memory_limit_bytes).name
    return wanted if known_model(wanted) else Path(wanted).stem


def _service(settings: Settings, token: str) -> "Service":
    try:
        from spark_lsp.openai_api.service import Limits, ServedModel, Service  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"The package {error.name} is not installed, which serves HTTP.",
            fix=f"Run `{shlex.quote(sys.executable)} -m pip install {' '.join(map(repr, REQUIREMENTS))}`.",
        ) from error
    completion = ServedModel(served_name(settings), open_engine(settings))
    chat_engine = open_chat_engine(settings)
    chat = completion
    if chat_engine is not None:
        chat = ServedModel(served_name(msgspec.structs.replace(settings, model=settings.chat_model)), chat_engine)
    return Service(completion, chat, token, Limits(idle_s=max(settings.engine.idle_minutes * 60, 1.0)))


async def _serve(service: "Service", listener: socket.socket) -> None:
    import uvicorn  # noqa: PLC0415

    config = uvicorn.Config(
        service.app(),
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_KEEP_ALIVE_S,
        h11_max_incomplete_event_size=_HEADER_BYTES,
    )
    await uvicorn.Server(config).serve(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise SettingsError(f"{host} is not an address to listen on: {error.strerror}.") from error
    try:
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"{host}:{port} cannot be listened on: {error.strerror}.", fix="Choose another port with --port."
        ) from error
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"


def _tell(url: str, *, loopback: bool) -> None:
    file = shlex.quote(str(token_folder() / TOKEN_FILE))
    err(f"Serving at {url}; stop with Ctrl-C.\n\n")
    err(f'export OPENAI_BASE_URL={url} OPENAI_API_KEY="$(cat {file})"\n')
    if not loopback:
        err("\nOther machines can reach it, and the connection is not encrypted.\n")
