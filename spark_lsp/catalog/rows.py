"""The models that can be pulled, small to large. Only facts that their makers or the hub publish.

Sizes and checksums are of the very files; shapes are of the makers' ``config.json``. Quality is not measured here:
within a line of models a larger one is better, which is all that ``recommend`` relies on.
"""

from typing import Final

from spark_lsp.catalog import index_rows
from spark_lsp.catalog.known import HubSource, KnownModel, PublishedFile, PublishedShape

_MANY: Final = ("python", "javascript", "typescript", "java", "c", "cpp", "go", "rust", "and others")
_QWEN: Final = "qwen2.5-coder"
_APACHE: Final = "Apache-2.0"

HUB_MODELS: Final[tuple[KnownModel, ...]] = (
    KnownModel(
        "qwen2.5-coder-0.5b",
        "The smallest of its series, for machines without a graphics card.",
        _APACHE,
        494_000_000,
        _MANY,
        family=_QWEN,
        native_tokens=32_768,
        shape=PublishedShape(24, 24 * 2 * 128, 494_000_000),
        file=PublishedFile(
            "qwen2.5-coder-0.5b-q8_0.gguf", 531_000_000, sources=(HubSource("ggml-org/Qwen2.5-Coder-0.5B-Q8_0-GGUF"),)
        ),
    ),
    KnownModel(
        "qwen2.5-coder-0.5b-instruct",
        "Completes and follows instructions on a machine without a graphics card.",
        _APACHE,
        494_000_000,
        _MANY,
        family=_QWEN,
        native_tokens=32_768,
        is_chat=True,
        shape=PublishedShape(24, 24 * 2 * 128, 494_000_000),
        file=PublishedFile(
            "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            491_400_064,
            sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            sources=(
                HubSource("Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", "ebb2015119c907b064c512bf053e945850b5875f"),
                index_rows.QWEN_CODER_0_5B_INSTRUCT,
            ),
        ),
    ),
    KnownModel(
        "qwen2.5-coder-1.5b",
        "The usual choice on a laptop.",
        _APACHE,
        1_540_000_000,
        _MANY,
        family=_QWEN,
        native_tokens=32_768,
        shape=PublishedShape(28, 28 * 2 * 256, 1_540_000_000),
        file=PublishedFile(
            "qwen2.5-coder-1.5b-q8_0.gguf",
            1_646_573_056,
            sha256="29871c94d15727a6e243f79a37113d4ae625a6215b5e800bf41a23af2da32832",
            sources=(HubSource("ggml-org/Qwen2.5-Coder-1.5B-Q8_0-GGUF", "8be1b8a895a84beea772817caaa71eba6b6e0d07"),),
        ),
    ),
    KnownModel(
        "qwen2.5-coder-1.5b-instruct",
        "Completes and follows instructions; the usual choice on a laptop.",
        _APACHE,
        1_540_000_000,
        _MANY,
        family=_QWEN,
        native_tokens=32_768,
        is_chat=True,
        shape=PublishedShape(28, 28 * 2 * 256, 1_540_000_000),
        file=PublishedFile(
            "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            1_117_320_768,
            sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            sources=(
                HubSource("Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "f86cb2c1fa58255f8052cc32aeede1b7482d4361"),
                index_rows.QWEN_CODER_1_5B_INSTRUCT,
            ),
        ),
    ),
    KnownModel(
        "qwen2.5-coder-3b",
        "Between laptop and graphics card; its licence forbids commercial use.",
        "Qwen Research License",
        3_090_000_000,
        _MANY,
        family=_QWEN,
        native_tokens=32_768,
        is_free=False,
        shape=PublishedShape(36, 36 * 2 * 256, 3_090_000_000),
        file=PublishedFile(
            "qwen2.5-coder-3b-q8_0.gguf",
            3_285_476_160,
            sha256="a522a906e299ed34db738b9626b2cd0da9e446c14674468a22fc2eae3dbd344d",
            sources=(HubSource("ggml-org/Qwen2.5-Coder-3B-Q8_0-GGUF", "9c1de162ae417c9c3aacde97c729c4128de047d8"),),
        ),
    ),
    KnownModel(
        "qwen2.5-coder-3b-instruct",
        "Between laptop and graphics card; its licence forbids commercial use.",
        "Qwen Research License",
        3_090_000_000,
        _MANY,
        family=_QWEN,
        native_tokens=32_768,
        is_chat=True,
        is_free=False,
        shape=PublishedShape(36, 36 * 2 * 256, 3_090_000_000),
        file=PublishedFile(
            "qwen2.5-coder-3b-instruct-q4_k_m.gguf",
            2_104_932_800,
            sha256="724fb256bec1ff062b2f65e4569e871ad2e95ab2a3989723d1769c54294730b7",
            sources=(HubSource("Qwen/Qwen2.5-Coder-3B-Instruct-GGUF", "f74adce6aa16316c625447af059dbebe4983757c"),),
        ),
    ),
    KnownModel(
        "qwen2.5-coder-7b",
        "The usual choice for a graphics card of 12 GB and more.",
        _APACHE,
        7_620_000_000,
        _MANY,
        family=_QWEN,
        native_tokens=32_768,
        extended_tokens=131_072,
        shape=PublishedShape(28, 28 * 4 * 256, 7_620_000_000),
        file=PublishedFile(
            "qwen2.5-coder-7b-q8_0.gguf",
            8_098_525_600,
            sha256="0ef48dc94a3c551a6736ac2601de38413dc9aa9318534b16e8baee08290a4aaf",
            sources=(HubSource("ggml-org/Qwen2.5-Coder-7B-Q8_0-GGUF", "bca77e0a8c88fc224882bcc404170c3ef17efacc"),),
        ),
    ),
    KnownModel(
        "qwen2.5-coder-7b-instruct",
        "For a graphics card of 8 GB and more.",
        _APACHE,
        7_620_000_000,
        _MANY,
        family=_QWEN,
        native_tokens=32_768,
        extended_tokens=131_072,
        is_chat=True,
        shape=PublishedShape(28, 28 * 4 * 256, 7_620_000_000),
        file=PublishedFile(
            "qwen2.5-coder-7b-instruct-q4_k_m.gguf",
            4_683_073_536,
            sha256="509287f78cb4d4cf6b3843734733b914b2c158e43e22a7f4bf5e963800894d3c",
            sources=(HubSource("Qwen/Qwen2.5-Coder-7B-Instruct-GGUF", "13fb94bfda8c8cf22497dc57b78f391a9acb426a"),),
        ),
    ),
    KnownModel(
        "qwen2.5-coder-14b",
        "For a graphics card of 24 GB.",
        _APACHE,
        14_800_000_000,
        _MANY,
        family=_QWEN,
        native_tokens=32_768,
        extended_tokens=131_072,
        shape=PublishedShape(48, 48 * 8 * 256, 14_800_000_000),
        file=PublishedFile(
            "qwen2.5-coder-14b-q8_0.gguf", 15_701_597_984, sources=(HubSource("ggml-org/Qwen2.5-Coder-14B-Q8_0-GGUF"),)
        ),
    ),
    KnownModel(
        "qwen2.5-coder-14b-instruct",
        "For a graphics card of 12 GB and more.",
        _APACHE,
        14_800_000_000,
        _MANY,
        family=_QWEN,
        native_tokens=32_768,
        extended_tokens=131_072,
        is_chat=True,
        shape=PublishedShape(48, 48 * 8 * 256, 14_800_000_000),
        file=PublishedFile(
            "qwen2.5-coder-14b-instruct-q4_k_m.gguf",
            8_988_110_272,
            sha256="c1e659736d89ac1065fb495330fb824d94001974a4bfa78e7270e43476a8d940",
            sources=(HubSource("Qwen/Qwen2.5-Coder-14B-Instruct-GGUF", "d0a692ef765eefbf2fabb130b3cb2e8917e3d225"),),
        ),
    ),
    KnownModel(
        "qwen3-coder-30b-a3b",
        "Mixture of experts: a large model's memory, a small one's speed; fills in the middle, follows instructions.",
        _APACHE,
        30_500_000_000,
        _MANY,
        family=_QWEN,
        native_tokens=262_144,
        is_chat=True,
        shape=PublishedShape(48, 48 * 4 * 256, 3_300_000_000),
        file=PublishedFile(
            "Qwen3-Coder-30B-A3B-Instruct-Q4_K_M.gguf",
            18_556_689_568,
            sources=(HubSource("unsloth/Qwen3-Coder-30B-A3B-Instruct-GGUF"),),
        ),
    ),
    KnownModel(
        "deepseek-coder-v2-lite",
        "Mixture of experts with a long context.",
        "DeepSeek Model License",
        15_700_000_000,
        _MANY,
        family="deepseek-coder",
        native_tokens=163_840,
        shape=PublishedShape(27, 27 * 16 * (192 + 128), 2_400_000_000),
        file=PublishedFile(
            "DeepSeek-Coder-V2-Lite-Base-Q4_K_M.gguf",
            10_360_000_000,
            sources=(HubSource("bartowski/DeepSeek-Coder-V2-Lite-Base-GGUF"),),
        ),
    ),
    KnownModel(
        "starcoder2-3b",
        "Trained only on public code, with an opt-out for authors.",
        "BigCode OpenRAIL-M",
        3_030_000_000,
        _MANY,
        family="starcoder2",
        native_tokens=16_384,
        shape=PublishedShape(30, 30 * 2 * 256, 3_030_000_000),
        file=PublishedFile(
            "starcoder2-3b-Q4_K_M.gguf", 1_850_000_000, sources=(HubSource("second-state/StarCoder2-3B-GGUF"),)
        ),
    ),
    KnownModel(
        "starcoder2-7b",
        "Trained only on public code, with an opt-out for authors.",
        "BigCode OpenRAIL-M",
        7_170_000_000,
        _MANY,
        family="starcoder2",
        native_tokens=16_384,
        shape=PublishedShape(32, 32 * 4 * 256, 7_170_000_000),
        file=PublishedFile(
            "starcoder2-7b-Q4_K_M.gguf", 4_400_000_000, sources=(HubSource("second-state/StarCoder2-7B-GGUF"),)
        ),
    ),
    KnownModel(
        "codestral-22b",
        "For a graphics card of 24 GB; its licence forbids commercial use.",
        "MNPL-0.1",
        22_200_000_000,
        _MANY,
        family="codestral",
        native_tokens=32_768,
        is_free=False,
        shape=PublishedShape(56, 56 * 8 * 256, 22_200_000_000),
        file=PublishedFile(
            "Codestral-22B-v0.1-Q4_K_M.gguf", 13_340_000_000, sources=(HubSource("bartowski/Codestral-22B-v0.1-GGUF"),)
        ),
    ),
    KnownModel(
        "granite-code-8b",
        "Trained on code with permissive licences; a short context.",
        _APACHE,
        8_050_000_000,
        _MANY,
        family="granite",
        native_tokens=4_096,
        shape=PublishedShape(36, 36 * 8 * 256, 8_050_000_000),
        file=PublishedFile(
            "granite-8b-code-base.Q4_K_M.gguf",
            4_880_000_000,
            sources=(HubSource("ibm-granite/granite-8b-code-base-4k-GGUF"),),
        ),
    ),
    KnownModel(
        "seed-coder-8b",
        "A newer model of the size of 8B.",
        "MIT",
        8_250_000_000,
        _MANY,
        family="seed-coder",
        native_tokens=32_768,
        shape=PublishedShape(32, 32 * 8 * 256, 8_250_000_000),
        file=PublishedFile(
            "Seed-Coder-8B-Base.Q4_K_M.gguf",
            5_070_000_000,
            sources=(HubSource("mradermacher/Seed-Coder-8B-Base-GGUF"),),
        ),
    ),
    KnownModel(
        "mellum-4b",
        "Made for completion alone; a short context.",
        _APACHE,
        4_020_000_000,
        _MANY,
        family="mellum",
        native_tokens=8_192,
        shape=PublishedShape(30, 30 * 24 * 256, 4_020_000_000),
        file=PublishedFile(
            "mellum-4b-base.Q8_0.gguf", 4_270_000_000, sources=(HubSource("JetBrains/Mellum-4b-base-gguf"),)
        ),
    ),
)
