"""Errors as values, in the shape that OpenAI's clients read."""

from dataclasses import dataclass
from typing import Any, Final

from spark_lsp.errors import EngineStarting, ModelError, ModelMissing, ModelNoFim, SparkError

_INVALID: Final = "invalid_request_error"
_SERVER: Final = "server_error"


@dataclass(frozen=True, slots=True)
class ApiError:
    """Why a request has no answer: an HTTP status, one sentence, and OpenAI's fields."""

    status: int
    message: str
    kind: str = _INVALID
    code: str | None = None
    param: str | None = None

    def body(self) -> dict[str, Any]:
        """Return the JSON document."""
        fields = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return {"error": fields}


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """Return the error of a request that asks for something that there is not."""
    return ApiError(400, message, code=code, param=param)


def of_engine(error: SparkError) -> ApiError:
    """Return what an engine's error is to a client; the code is the reason code of docs/protocol.md."""
    message = f"{error} {error.fix}".strip()
    if isinstance(error, ModelNoFim):
        return ApiError(400, message, code=error.reason)
    if isinstance(error, EngineStarting):
        return ApiError(503, message, _SERVER, error.reason)
    status = 404 if isinstance(error, ModelMissing) else 500 if isinstance(error, ModelError) else 503
    return ApiError(status, message, _SERVER, error.reason)
