"""Secrets of more than sixty kinds as they stand in the files of a repository.

Put together here, so that no scanner takes this file for a leak.
"""

from typing import Final, NamedTuple

UP, LOW, HEX = "Q7ZK2M9XW4VB8N3R", "q7zk2m9xw4vb8n3rt6yh5jd1", "4f9c2e7ab01d83564f9c2e7ab01d8356"
MIXED = LOW + "Ab3dE5fG7hI9"
B64 = "q7Zk2M9xW4vB8n3Rt6Yh5Jd1+LpA/ce0UoIiSgFmTz"
UUID = "4f9c2e7a-b01d-4356-9f9c-2e7ab01d8356"


class Planted(NamedTuple):
    """A file with a secret: ``text`` holds ``secret`` where it says ``@@``."""

    path: str
    text: str
    secret: str

    @property
    def whole(self) -> str:
        """The file's text with the secret in its place."""
        return self.text.replace("@@", self.secret)


def _code(secret: str, name: str = "VALUE") -> Planted:
    return Planted("app.py", f'{name} = "@@"\n', secret)


KINDS: Final = {
    "AWS access key": _code("AKIA" + UP),
    "AWS temporary key": _code("ASIA" + UP),
    "AWS secret": _code(B64[:40], "aws_secret_access_key"),
    "AWS secret, camel case": Planted("app.ts", 'const c = { secretAccessKey: "@@" }\n', B64[:40]),
    "GitHub personal": _code("gh" + "p_" + MIXED),
    "GitHub app": _code("gh" + "s_" + MIXED),
    "GitHub fine-grained": _code("github_" + "pat_11A" + LOW * 3),
    "GitLab": _code("glpat" + "-" + LOW[:20]),
    "GitLab runner": _code("glrt" + "-" + LOW[:20]),
    "Slack bot": _code("xox" + "b-2345678901-" + LOW),
    "Slack app": _code("xapp" + "-1-A0B1C2D3E4F-" + LOW),
    "Slack webhook": _code("https://hooks.slack.com/services/" + "T0A1B2C3D/B0A1B2C3D/" + LOW),
    "Discord webhook": _code("https://discord.com/api/webhooks/" + "123456789012345678/" + LOW),
    "Discord bot": _code("MTIzNDU2Nzg5MDEyMzQ1Njc4" + ".GaB1cD." + LOW + "xY9", "BOT_TOKEN"),
    "Telegram bot": _code("123456789:AA" + LOW + "Zx9Wv8Ut7"),
    "Twilio key": _code("SK" + HEX),
    "Stripe live": _code("sk_" + "live_" + LOW),
    "Stripe restricted": _code("rk_" + "live_" + LOW),
    "Stripe webhook": _code("whsec" + "_" + LOW + "Ab3dE5fG"),
    "OpenAI": _code("sk" + "-proj-" + LOW + "AB" + LOW),
    "Anthropic": _code("sk" + "-ant-api03-" + LOW + "AB" + LOW),
    "Google API": _code("AI" + "za" + LOW + "Ab3dE5fG7hI"),
    "Google OAuth": _code("ya29" + ".a0Af" + LOW),
    "Google client secret": _code("GOCSPX" + "-" + LOW + "Ab3d"),
    "Azure storage": _code("AccountKey=" + B64 * 2 + "=="),
    "Azure SAS": _code("https://x.blob.core.windows.net/c/b?sv=2022-11-02&sig=" + MIXED + "%2B8%3D"),
    "Azure client secret": _code("q7Z8Q~" + LOW + "AbC3d7_xY", "client_secret"),
    "Vault": _code("hvs" + ".CAES" + LOW),
    "Databricks": _code("dapi" + HEX),
    "Hugging Face": _code("hf" + "_abcdefghijklmnopqrstuvwxyzABCDEFGH"),
    "npm": _code("npm" + "_" + MIXED),
    "PyPI": _code("pypi" + "-AgEI" + LOW * 3),
    "RubyGems": _code("rubygems" + "_" + HEX + HEX[:16]),
    "SendGrid": _code("SG" + "." + LOW[:22] + "." + LOW + "Ab3dE5fG7hI9Jk1Lm3N"),
    "Shopify": _code("shpat" + "_" + HEX),
    "DigitalOcean": _code("dop_" + "v1_" + HEX * 2),
    "Atlassian": _code("ATATT3" + LOW * 2),
    "Square": _code("sq0" + "csp-" + LOW),
    "Mailchimp": _code(HEX + "-us12"),
    "Mailgun": _code("key" + "-" + HEX),
    "Brevo": _code("xkeysib" + "-" + HEX * 2 + "-" + LOW[:16]),
    "Cloudflare": _code(MIXED + "Jk1L", "CF_API_TOKEN"),
    "Heroku": _code(UUID, "HEROKU_API_KEY"),
    "Datadog": _code(HEX, "DD_API_KEY"),
    "New Relic": _code("NRAK" + "-" + UP + "7ZK2M9XW4VB"),
    "Postman": _code("PMAK" + "-" + HEX[:24] + "-" + HEX + "ab"),
    "Linear": _code("lin_" + "api_" + MIXED),
    "Grafana": _code("glsa" + "_" + LOW + "Ab3dE5fG_1a2b3c4d"),
    "Groq": _code("gsk" + "_" + LOW * 2),
    "Replicate": _code("r8" + "_" + LOW + "Ab3dE5fG7hI9"),
    "Fly": _code("fm2" + "_" + LOW * 2),
    "age": _code("AGE-SECRET-KEY-1" + UP * 3 + "QPZRY9X8GF"),
    "JSON web token": _code("eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0." + LOW + "Ab3dE5fG"),
    "private key": Planted("app.py", 'KEY = """@@"""\n', "-----BEGIN RSA " + "PRIVATE KEY-----\n" + B64 * 3),
    "basic header": Planted("app.py", 'h = {"Authorization": "Basic @@"}\n', "YWRhOmxvdmVsYWNlMTgxNQ=="),
    "bearer header": Planted("app.js", "h = { Authorization: 'Bearer @@' }\n", "opaque~token/1234-q7zk2m"),
    "password, Python": _code("hunter2!", "db_password"),
    "password, JavaScript": Planted("app.js", "const c = { password: '@@' }\n", "Tr0ub4dor&3"),
    "password, PHP": Planted("app.php", "<?php\n$c = ['DB_PASSWORD' => '@@'];\n", "hunter2!x"),
    "password, PHP constant": Planted("app.php", "<?php\ndefine('DB_PASSWORD', '@@');\n", "hunter2!x"),
    "password, Go": Planted("app.go", 'package a\n\nvar password string = "@@"\n', "s3cr3t-Horse"),
    "password, Yaml": Planted("app.yaml", "db:\n  password: @@\n", "hunter2!x"),
    "password, properties": Planted("app.properties", "spring.datasource.password=@@\n", "hunter2!x"),
    "password, cnf": Planted("my.conf", "[client]\npassword = @@\n", "hunter2!x"),
    "SECRET_KEY of a framework": _code("django-insecure-#x7q&hunter2", "SECRET_KEY"),
    "PostgreSQL address": _code("postgresql://ada:hunter2@db.example.com/shop"),
    "MongoDB address": _code("mongodb+srv://ada:hunter2@db.example.com/shop"),
    "Redis address": _code("redis://:hunter2@db.example.com:6379/0"),
    "web address": _code("https://ada:hunter2@git.example.com/x.git"),
    "SQL Server connection": Planted("app.cs", 'var c = "Server=db;User Id=ada;Password=@@;";\n', "hunter2!x"),
    "Kubernetes secret": Planted(
        "k.yaml", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\ndata:\n  x: @@\n", "aHVudGVyMiE="
    ),
    "kubeconfig": Planted("cluster.yaml", "users:\n- user:\n    client-key-data: @@\n", B64 + "=="),
    "docker logins": Planted("d.json", '{"auths": {"r.example.com": {"auth": "@@"}}}\n', "YWRhOmh1bnRlcjI="),
}
