"""Makes a model and a context without their memory, to learn how large llama.cpp's compute buffers would be.

An estimate takes a third of a second and reads no weights (``docs/internals/engine-measurements.md``). Never decodes.
"""

import ctypes
import re
from typing import Any, Final

from spark_lsp.llama.loading.fit import ContextPlan
from spark_lsp.llama.loading.memory import OUTPUT_ROWS
from spark_lsp.llama.loading.native import L, quiet

_TYPES: Final = {"f16": 1, "q8_0": 8, "q4_0": 2}  # ggml.h, ggml_type
_NO_FLASH_ATTENTION: Final = 0  # llama.h, LLAMA_FLASH_ATTN_TYPE_DISABLED
_YARN: Final = 2  # llama.h, LLAMA_ROPE_SCALING_TYPE_YARN
_NO_MAPPING: Final = 0  # llama.h, LLAMA_LOAD_MODE_NONE: without memory no other mode is allowed
_SEQUENCES: Final = 8
_COMPUTE_LINE: Final = re.compile(r"(\S+)\s+compute\s+buffer size\s*=\s*([0-9.]+) MiB")
_HOST: Final = re.compile(r"CPU|_Host$", re.IGNORECASE)


def context_params(plan: ContextPlan) -> Any:
    """Return llama.cpp's parameters for a plan: size, cache type, attention, stretched positions; else its defaults."""
    params = L.llama_context_default_params()
    params.n_ctx = plan.cells
    params.n_batch = plan.batch_tokens
    params.n_ubatch = plan.ubatch_tokens
    params.kv_unified = True
    params.type_k = params.type_v = _TYPES[plan.kv_type]
    if plan.plain_attention:
        params.flash_attn_type = _NO_FLASH_ATTENTION
    if plan.yarn_factor > 1.0:
        params.rope_scaling_type = _YARN
        params.rope_freq_scale = 1.0 / plan.yarn_factor
        params.yarn_orig_ctx = plan.native_tokens
    return params


def native_layers(plan: ContextPlan, layers: int) -> int:
    """Return ``n_gpu_layers`` for a model of so many layers; all of them mean the output's layer too."""
    return -1 if plan.gpu_layers >= max(layers, 1) else plan.gpu_layers


def compute_bytes(path: str, plan: ContextPlan, gpu_layers: int) -> tuple[int, int] | None:
    """Return the compute buffers of GPUs and of the processor, in bytes; None where llama.cpp will not say.

    ``gpu_layers`` is as llama.cpp counts: -1 for all.
    """
    lines: list[str] = []

    def on_line(_level: int, text: bytes, _data: object) -> None:
        lines.append(text.decode("utf-8", "replace"))

    callback = L.llama_log_callback(on_line)
    quiet()
    L.llama_log_set(callback, ctypes.c_void_p(0))
    try:
        is_made = _make(path, plan, gpu_layers)
    finally:
        quiet()  # takes the log back before ``callback`` goes
    matches = [match for line in lines if (match := _COMPUTE_LINE.search(line)) is not None]
    if not is_made or not matches:
        return None
    sizes = [(bool(_HOST.search(match[1])), int(float(match[2]) * 1024**2)) for match in matches]
    return sum(size for is_host, size in sizes if not is_host), sum(size for is_host, size in sizes if is_host)


def _make(path: str, plan: ContextPlan, gpu_layers: int) -> bool:
    loading = L.llama_model_default_params()
    loading.no_alloc = True
    loading.load_mode = _NO_MAPPING
    loading.n_gpu_layers = gpu_layers
    model = L.llama_model_load_from_file(path.encode(), loading)
    if not model:
        return False
    params = context_params(plan)
    params.n_seq_max = _SEQUENCES
    params.n_outputs_max = OUTPUT_ROWS
    context = L.llama_init_from_model(model, params)
    if context:
        L.llama_free(context)
    L.llama_model_free(model)
    return bool(context)
