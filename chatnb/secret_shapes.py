"""The shapes of the secrets that issuers document, as regular expressions."""

from __future__ import annotations

from typing import NamedTuple


class SecretShape(NamedTuple):
    """The shape of one issuer's secrets.

    Args:
        issuer: Whose secrets they are.
        hints: Texts of which a secret of this shape contains one; looking for them is quick.
        pattern: A regular expression for the secret itself.
    """

    issuer: str
    hints: tuple[str, ...]
    pattern: str


# The shapes are public facts: the token formats that issuers document, as gitleaks
# (config/gitleaks.toml) and detect-secrets (detect_secrets/plugins) list them. Lengths are lower
# bounds, since issuers lengthen their tokens without notice.
SECRET_SHAPES = (
    # OpenAI, Anthropic, OpenRouter, DeepSeek, LiteLLM and others.
    SecretShape(
        "sk-", ("sk-", "rk-", "pk-", "sess-"), r"\b(?:sk|rk|pk|sess)-(?=[\w-]{0,64}\d)[\w-]{16,}"
    ),
    SecretShape(
        "OpenAI accounts", ("org", "proj"), r"\b(?:org|proj)[-_](?=\w{0,64}\d)[A-Za-z0-9]{16,}"
    ),
    SecretShape(
        "Stripe",
        ("sk_", "rk_", "pk_", "whsec_"),
        r"\b(?:sk|rk|pk|whsec)_(?:(?:live|test|prod)_)?[A-Za-z0-9]{16,}",
    ),
    SecretShape(
        "Groq, xAI, Perplexity, Tavily",
        ("gsk_", "xai-", "pplx-", "tvly-"),
        r"\b(?:gsk_|xai-|pplx-|tvly-)[\w-]{16,}",
    ),
    SecretShape(
        "NVIDIA, Replicate, Fireworks, Together",
        ("nvapi-", "r8_", "fw_", "tgp_v1_"),
        r"\b(?:nvapi-|r8_|fw_|tgp_v1_)[\w-]{16,}",
    ),
    SecretShape("Hugging Face", ("hf_", "api_org_"), r"\b(?:hf_|api_org_)[\w-]{12,}"),
    SecretShape("LangSmith, Pinecone", ("lsv2_", "pcsk_"), r"\b(?:lsv2_(?:pt|sk)_|pcsk_)\w{16,}"),
    SecretShape("Google API key", ("AIza",), r"\bAIza[\w-]{12,}"),
    SecretShape(
        "Google OAuth",
        ("ya29.", "GOCSPX-", "1//0"),
        r"\bya29\.[\w-]{16,}|\bGOCSPX-[\w-]{20,}|\b1//0[\w-]{30,}",
    ),
    SecretShape(
        "AWS access key id",
        ("A3T", "AKIA", "ASIA", "ABIA", "ACCA"),
        r"\b(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}\b",
    ),
    SecretShape("AWS Bedrock", ("ABSK",), r"\bABSK[A-Za-z0-9+/]{40,}={0,2}"),
    SecretShape("Azure storage", ("AccountKey=",), r"(?<=AccountKey=)[A-Za-z0-9+/]{40,}={0,2}"),
    SecretShape("Azure client secret", ("Q~",), r"(?<![\w~.-])[\w~.]{3}\dQ~[\w~.-]{31,}"),
    SecretShape("Azure shared access", ("sig=",), r"(?<=[?&]sig=)[A-Za-z0-9%+/=]{20,}"),
    SecretShape(
        "GitHub",
        ("gh", "github_pat_"),
        r"\b(?:gh[pousr]_[\w-]{12,}|github_pat_\w{12,})",
    ),
    SecretShape("GitLab", ("gl",), r"\bgl(?:pat|ptt|dt|rt|cbt|soat|ft|imt|agent|oas)-[\w-]{12,}"),
    SecretShape("Slack", ("xox", "xapp-"), r"\b(?:xox[a-z]|xapp)-[A-Za-z0-9-]{10,}"),
    SecretShape(
        "Webhooks of Slack, Discord and Teams",
        ("hooks.slack.com/", "/api/webhooks/", "webhook.office.com/"),
        r"(?<=hooks\.slack\.com/)(?:services|workflows|triggers)/[\w/+-]{20,}"
        r"|(?<=/api/webhooks/)\d+/[\w-]{20,}|(?<=webhook\.office\.com/)[\w@/.-]{20,}",
    ),
    SecretShape("Telegram", (":AA",), r"\b\d{8,10}:AA[\w-]{30,}"),
    SecretShape("SendGrid", ("SG.",), r"\bSG\.[\w-]{16,}\.[\w-]{16,}"),
    SecretShape(
        "Mailgun, Twilio",
        ("key-", "SK", "AC"),
        r"\bkey-[0-9a-f]{32}\b|\b(?:SK|AC)[0-9a-f]{32}\b",
    ),
    SecretShape(
        "npm, PyPI, RubyGems, Docker",
        ("npm_", "pypi-AgE", "rubygems_", "dckr_"),
        r"\bnpm_[A-Za-z0-9]{30,}|\bpypi-AgE[\w-]{16,}|\brubygems_[0-9a-f]{40,}"
        r"|\bdckr_(?:pat|oat)_[\w-]{20,}",
    ),
    SecretShape(
        "DigitalOcean, Databricks, Heroku",
        ("_v1_", "dapi", "HRKU-"),
        r"\bdo[opr]_v1_[0-9a-f]{40,}|\bdapi[0-9a-f]{32}(?:-\d)?\b|\bHRKU-[\w-]{30,}",
    ),
    SecretShape(
        "Shopify, Square",
        ("shp", "sq0", "EAAA"),
        r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|\b(?:sq0[a-z]{3}-|EAAA)[\w-]{22,}",
    ),
    SecretShape(
        "Notion, Linear, Airtable, Figma",
        ("ntn_", "secret_", "lin_api_", "pat", "figd_"),
        r"\bntn_\w{20,}|\bsecret_[A-Za-z0-9]{40,}|\blin_api_\w{20,}"
        r"|\bpat[A-Za-z0-9]{14}\.[0-9a-f]{40,}|\bfigd_[\w-]{20,}",
    ),
    SecretShape(
        "Grafana, Sentry, New Relic",
        ("glsa_", "glc_", "sntry", "NRAK-"),
        r"\bgl(?:sa|c)_[\w+/=]{30,}|\bsntry[su]_[\w+/=-]{30,}|\bNRAK-[A-Z0-9]{20,}",
    ),
    SecretShape(
        "Vault, Terraform, Doppler, Pulumi",
        ("hvs.", "hvb.", ".atlasv1.", "dp.", "pul-"),
        r"\bhv[sb]\.[\w-]{20,}|\b[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{40,}"
        r"|\bdp\.(?:pt|st|ct)\.[\w.-]{30,}|\bpul-[0-9a-f]{40}\b",
    ),
    SecretShape(
        "Postman, Supabase, Atlassian",
        ("PMAK-", "sbp_", "ATATT3"),
        r"\bPMAK-[0-9a-f-]{40,}|\bsbp_[0-9a-f]{40}\b|\bATATT3[\w=-]{40,}",
    ),
    SecretShape(
        "1Password, age",
        ("ops_eyJ", "AGE-SECRET-KEY-1"),
        r"\bops_eyJ[\w+/=-]{40,}|\bAGE-SECRET-KEY-1[A-Z0-9]{50,}",
    ),
    # RFC 7519: a JSON Web Token begins with the base64 of '{"'. Its header is short, and a text
    # could have one beginning in the other.
    SecretShape("JSON Web Token", ("eyJ",), r"\beyJ[\w-]{8,500}\.[\w-]{8,}\.[\w-]*"),
    # RFC 6750 and RFC 7617: credentials in an Authorization header, named in any case.
    SecretShape(
        "Authorization header",
        ("earer", "EARER", "asic", "ASIC"),
        r"\bBearer\s+[\w.~+/=-]{8,}|(?i:\bbearer\s+)(?=\S*\d)[\w.~+/=-]{8,}"
        r"|(?i:\bBasic\s+)(?=\S*[\d=+/])[A-Za-z0-9+/]{12,}={0,2}",
    ),
    # RFC 3986, section 3.2.1: a user and a password before a host, or a token in place of a user.
    SecretShape(
        "Password in an address",
        ("://",),
        r"(?<=://)[^\s/:@\"']*:[^\s/@\"']+(?=@)|(?<=://)(?=\w{0,64}\d)[\w-]{16,}(?=@)",
    ),
    # RFC 7468: textual encodings of keys; a key that is cut off is redacted to the text's end.
    SecretShape(
        "Private key",
        ("PRIVATE KEY",),
        r"(?s:-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END[^\n]*|\Z))",
    ),
    SecretShape(
        "Pydantic", ("SecretStr(", "SecretBytes("), r"\bSecret(?:Str|Bytes)\(\s*b?[\"'][^\"'\n]+"
    ),
)
