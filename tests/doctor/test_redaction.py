"""A support file has no keys, of sixty kinds in every possible place, and no names of the user."""

import json
import os
import stat
import zipfile
from pathlib import Path

import pytest

from spark_lsp.config import BackendSettings, Settings, SettingsSource, environment_source, resolve
from spark_lsp.doctor.bundle import write_bundle
from spark_lsp.doctor.check_result import Check
from spark_lsp.doctor.redaction import without_secrets

# Put together here, so that no scanner takes this file for a leak. What counts is the second part.
UP, LOW, HEX = "Q7ZK2M9XW4VB8N3R", "q7zk2m9xw4vb8n3rt6yh5jd1", "4f9c2e7ab01d83564f9c2e7ab01d8356"
B64 = "q7Zk2M9xW4vB8n3Rt6Yh5Jd1+LpA/ce0UoIiSgFmTz"
KINDS = {
    "AWS access key": ("AKIA", UP),
    "AWS temporary key": ("ASIA", UP),
    "AWS secret, underscores": ("aws_secret_access_key = ", B64[:40]),
    "AWS secret, camel case": ('"secretAccessKey": "', B64[:40]),
    "GitHub personal": ("gh" + "p_", LOW + "Ab3dE5fG7hI9"),
    "GitHub app": ("gh" + "s_", LOW + "Ab3dE5fG7hI9"),
    "GitHub fine-grained": ("github_" + "pat_", "11A" + LOW * 3),
    "GitLab": ("glpat" + "-", LOW[:20]),
    "GitLab runner": ("glrt" + "-", LOW[:20]),
    "Slack bot": ("xox" + "b-", "2345678901-" + LOW),
    "Slack app": ("xapp" + "-1-", "A0B1C2D3E-" + LOW),
    "Slack webhook": ("https://hooks.slack.com/services/", "T0A1B2C3D/B0A1B2C3D/" + LOW),
    "Discord webhook": ("https://discord.com/api/webhooks/", "123456789012345678/" + LOW),
    "Discord bot": ("", "MTIzNDU2Nzg5MDEyMzQ1Njc4.GaB1cD." + LOW + "xY9"),
    "Telegram bot": ("", "123456789:AA" + LOW + "Zx9Wv8Ut7"),
    "Twilio key": ("SK", HEX),
    "Twilio account": ("AC", HEX),
    "Stripe live": ("sk_" + "live_", LOW),
    "Stripe restricted": ("rk_" + "live_", LOW),
    "Stripe webhook": ("whsec" + "_", LOW + "Ab3dE5fG"),
    "OpenAI": ("sk" + "-proj-", LOW + "AB" + LOW),
    "Anthropic": ("sk" + "-ant-api03-", LOW + "AB" + LOW),
    "an endpoint's own": ("sk" + "-", "very-secret-key-of-the-team-1"),
    "Google API": ("AI" + "za", LOW + "Ab3dE5fG7hI"),
    "Google OAuth": ("ya29" + ".", "a0Af" + LOW),
    "Google client secret": ("GOCSPX" + "-", LOW + "Ab3d"),
    "Azure storage": ("AccountKey=", B64 * 2 + "=="),
    "Azure SAS": ("https://x.blob.core.windows.net/c/b?sv=2022-11-02&sig=", LOW + "%2B8%3D"),
    "Azure client secret": ("client_secret=", "q7Z8Q~" + LOW + "AbC3d"),
    "HashiCorp Vault": ("hvs" + ".", "CAES" + LOW),
    "Databricks": ("dapi", HEX),
    "Hugging Face": ("hf" + "_", "abcdefghijklmnopqrstuvwxyzABCDEFGH"),
    "npm": ("npm" + "_", LOW + "Ab3dE5fG7hI9"),
    "PyPI": ("pypi" + "-AgEI", LOW * 3),
    "SendGrid": ("SG" + ".", LOW[:22] + "." + LOW + "Ab3dE5fG7hI9Jk1Lm3N"),
    "Shopify": ("shpat" + "_", HEX),
    "DigitalOcean": ("dop_" + "v1_", HEX * 2),
    "Atlassian": ("ATATT3", LOW * 2),
    "Square": ("sq0" + "csp-", LOW),
    "Mailchimp": ("", HEX + "-us12"),
    "Mailgun": ("key" + "-", HEX),
    "Cloudflare": ("CF_API_TOKEN=", LOW + "Ab3dE5fG7hI9Jk1L"),
    "New Relic": ("NRAK" + "-", UP + "7ZK2M9XW4VB"),
    "Postman": ("PMAK" + "-", HEX[:24] + "-" + HEX + "ab"),
    "Linear": ("lin_" + "api_", LOW + "Ab3dE5fG7hI9"),
    "Grafana": ("glsa" + "_", LOW + "Ab3dE5fG_1a2b3c4d"),
    "Groq": ("gsk" + "_", LOW * 2),
    "Replicate": ("r8" + "_", LOW + "Ab3dE5fG7hI9J"),
    "Fly": ("FlyV1 fm2_", LOW * 2),
    "age": ("AGE-SECRET-KEY-1", UP * 3 + "QPZRY9X8GF"),
    "JSON web token": ("eyJ" + "hbGciOiJIUzI1NiJ9", ".eyJzdWIiOiIxMjM0NTY3ODkwIn0." + LOW + "Ab3dE5fG"),
    "bearer header": ("Authorization: Bearer ", "opaque~token/1234"),
    "basic header": ("Authorization: Basic ", "YWRhOmxvdmVsYWNl"),
    "cookie": ("Cookie: session=", "s%3A" + LOW),
    "API key header": ("X-Api-Key: ", HEX),
    "password, shell": ("password=", "hunter2!"),
    "password, Yaml": ("db_password: ", "hunter2!"),
    "password, quoted": ('"password": "', "correct horse battery"),
    "password, PHP": ("'DB_PASSWORD' => '", "hunter2!"),
    "SECRET_KEY of a framework": ("SECRET_KEY = '", "django-insecure-#x7q&hunter2"),
    "connection string": ("postgresql://ada:", "hunter2"),
    "connection string, Mongo": ("mongodb+srv://ada:", "hunter2"),
    "user in an address": ("https://", "ada:hunter2"),
    "token in an address": ("https://models.example.com/v1/", "t0k3n-of-the-team"),
    "key block": ("-----BEGIN RSA " + "PRIVATE KEY-----\n", B64 + "\n" + B64),
    "key block of a cut log": ("-----BEGIN OPENSSH " + "PRIVATE KEY-----\n", B64),
    "bare hex": ("the key is ", HEX),
    "bare base64": ("the key is ", B64),
}
CLOSERS = {"'": "'", '"': '"'}


def planted(before: str, secret: str) -> str:
    at = "@db.example.com/shop" if before.startswith(("postgres", "mongodb")) or secret == "ada:hunter2" else ""
    opened = before[-1:] if before[-1:] in CLOSERS else ""
    return f"{before}{secret}{at}{opened}"


def leaked(secret: str, text: str) -> list[str]:
    """Return parts of a secret that a text still contains: any eight characters of it, or all of a shorter one."""
    flat = secret.replace("\n", "")
    parts = {flat[at : at + 8] for at in range(max(1, len(flat) - 7))}
    return sorted(part for part in parts if part in text.replace("\n", ""))


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_secret_stays(kind: str) -> None:
    before, secret = KINDS[kind]
    line = planted(before, secret)
    for text in (
        line,
        f"2026-11-30 12:00:00 WARNING engine request failed: {line}\n",
        json.dumps({"x": line}),
    ):
        assert leaked(secret, without_secrets(text).replace("\\n", "")) == [], text


def test_there_are_sixty_kinds() -> None:
    assert len(KINDS) >= 60


def test_what_helps_to_find_a_fault_stays() -> None:
    text = (
        "llama_model_loader: loaded meta data with 26 key-value pairs and 338 tensors from /usr/models/qwen.gguf\n"
        "Traceback (most recent call last):\n"
        '  File "/usr/lib/python3/dist-packages/spark_lsp/engine/local/client.py", line 214, in _connect\n'
        "ConnectionRefusedError: [Errno 111] Connection refused\n"
        "http://127.0.0.1:8000/v1 answers 404; 8192 tokens, qwen2.5-coder-0.5b-instruct-q4_k_m.gguf\n"
        "CUDA error: out of memory (ggml_cuda_pool_leg::alloc), GGML_ASSERT(hparams.n_layer_all > 0)\n"
    )
    assert without_secrets(text) == text


def test_the_support_file_is_private_and_holds_none_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_LSP_RUNTIME_DIR", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    log = "\n".join(planted(*kind) for kind in KINDS.values() if "BEGIN" not in kind[0])
    (tmp_path / "run" / "engine-1.log").write_text(log)
    settings = Settings(
        backend=BackendSettings(urls=("https://models.example.com/v1/t0k3n-of-the-team",), api_key_env=HEX)
    )
    details = [Check("environment", "warn", planted(*kind)) for kind in KINDS.values()]
    target = tmp_path / "support.zip"
    target.write_text("an older one that others may read")
    target.chmod(0o644)
    write_bundle(target, details, settings)
    assert os.name == "nt" or stat.S_IMODE(target.stat().st_mode) == 0o600
    with zipfile.ZipFile(target) as archive:
        whole = "\n".join(archive.read(name).decode() for name in archive.namelist())
    assert {kind: parts for kind, (_, secret) in KINDS.items() if (parts := leaked(secret, whole))} == {}
    assert "models.example.com" in whole


def test_a_variable_that_does_not_fit_is_not_repeated() -> None:
    _, (message,) = resolve([environment_source({"SPARK_LSP_COMPLETION_MAX_LINES": "hunter2"})])
    assert "completion.maxLines" in message
    assert "hunter2" not in message
    _, (message,) = resolve([SettingsSource("settings.json", {"completion": {"maxLines": "four"}})])
    assert "'four'" in message  # a file's author sees what is wrong
