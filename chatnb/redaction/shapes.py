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
        "Cerebras, Jina, Voyage, E2B, Firecrawl, Brave Search, Zhipu",
        ("csk-", "jina_", "pa-", "e2b_", "fc-", "BSA", "."),
        r"\b(?:csk-|jina_|e2b_|pa-(?=[\w-]{0,64}\d))[\w-]{32,}|\bfc-[0-9a-f]{32}\b"
        r"|\bBSA(?=\w{0,28}\d)[\w-]{24,}|\b[0-9a-f]{32}\.[A-Za-z0-9]{16}\b",
    ),
    SecretShape(
        "Buildkite, CircleCI, Prefect, Sonar, Vercel, Clojars, Octopus",
        ("bkua_", "CCIPAT_", "pnu_", "sq", "vercel_", "CLOJARS_", "API-"),
        r"\b(?:bkua|sq[apu])_[0-9a-f]{40}\b|\bCCIPAT_\w{40,}|\bpnu_[A-Za-z0-9]{36}\b"
        r"|\bvercel_(?:blob_rw_)?[A-Za-z0-9]{24,}|\bCLOJARS_[A-Za-z0-9]{40,}"
        r"|\bAPI-(?=[A-Z0-9]{0,32}\d)[A-Z0-9]{25,32}\b",
    ),
    SecretShape(
        "Fly.io, PlanetScale, Render, Scalingo, Mapbox, Yandex",
        ("fm1", "fm2_", "pscale_", "rnd_", "tk-us-", "sk.", "AQVN"),
        r"\bfm(?:1[ar]|2)_[\w+/=-]{40,}|\bpscale_(?:tkn|pw|oauth)_[\w.=-]{32,}"
        r"|\brnd_[A-Za-z0-9]{28,}|\btk-us-[\w-]{40,}|\bsk\.[\w-]{40,}\.[\w-]{16,}"
        r"|\bAQVN[\w-]{35,}",
    ),
    SecretShape(
        "Discord, Meta, HubSpot, Typeform, ReadMe, Adafruit, Intercom",
        (".", "EAA", "pat-", "tfp_", "rdme_", "aio_", "dG9rO"),
        r"\b[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27,}|\bEAA[A-Za-z0-9]{80,}|\bdG9rO[\w-]{50,}"
        r"|\bpat-(?:na|eu)\d-[0-9a-f-]{36}\b|\btfp_[\w.=-]{40,}|\brdme_\w{50,}"
        r"|\baio_[A-Za-z0-9]{28}\b",
    ),
    SecretShape(
        "Dynatrace, Harness, LaunchDarkly",
        ("dt0", ".", "sdk-", "mob-"),
        r"\bdt0[a-z]\d\d\.[A-Z0-9]{24}\.[A-Z0-9]{32,}"
        r"|\b[ps]at\.[\w-]{22}\.[0-9a-f]{24}\.[A-Za-z0-9]{20}"
        r"|\b(?:sdk|mob)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",
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
    SecretShape(
        "Tailscale, Resend, Neon, Netlify, Brevo, PostHog, Sourcegraph, Contentful",
        ("tskey-", "re_", "napi_", "nfp_", "xkeysib-", "phx_", "sgp_", "CFPAT-"),
        r"\btskey-[a-z]+-\w{6,}-\w{20,}|\bre_(?=\w{0,9}\d)[A-Za-z0-9]{6,10}_[A-Za-z0-9]{20,}"
        r"|\bnapi_[A-Za-z0-9]{40,}|\bnfp_[A-Za-z0-9]{30,}|\bxkeysib-[0-9a-f]{64}-\w{16}"
        r"|\bphx_[A-Za-z0-9]{40,}|\bsgp_(?:[0-9a-f]{16}_)?[0-9a-f]{40}\b|\bCFPAT-[\w-]{40,}",
    ),
    SecretShape(
        "LlamaCloud, RunPod, Anyscale, Browserbase, Honeycomb, Alibaba, JFrog",
        ("llx-", "rpa_", "esecret_", "bb_live_", "hcai", "LTAI", "AKCp"),
        r"\bllx-[\w-]{32,}|\brpa_[A-Za-z0-9]{32,}|\besecret_[A-Za-z0-9]{24,}|\bbb_live_[\w-]{20,}"
        r"|\bhcai[ck]_[A-Za-z0-9]{50,}|\bLTAI(?=\w{0,20}\d)[A-Za-z0-9]{12,}\b"
        r"|\bAKCp[A-Za-z0-9]{60,}",
    ),
    SecretShape(
        "Cloudflare, Shippo, EasyPost, Plaid, OpenShift, Mailchimp, Flutterwave, GitLab's runners",
        ("v1.0-", "shippo_", "EZ", "access-", "sha256~", "-us", "FLWSECK", "GR1348941"),
        r"\bv1\.0-[0-9a-f]{24}-[0-9a-f]{40,}|\bshippo_(?:live|test)_[0-9a-f]{40}\b"
        r"|\bEZ[AT]K[A-Za-z0-9]{54,}|\baccess-(?:sandbox|development|production)-[0-9a-f-]{36}\b"
        r"|\bsha256~[\w-]{40,}|\b[0-9a-f]{32}-us\d{1,2}\b|\bFLWSECK(?:_TEST)?-\w{12,}-X\b"
        r"|\bGR1348941[\w-]{20,}",
    ),
    # Cookies of sessions, as frameworks call them, and the keys of functions on Azure.
    SecretShape(
        "Sessions and functions",
        ("SESSID=", "SESSIONID=", "session=", "sessionid=", "code="),
        r"(?:(?<=PHPSESSID=)|(?<=JSESSIONID=)|(?<=\bsession=)|(?<=\bsessionid=))"
        r"(?=[\w%.-]{0,64}\d)[\w%.-]{16,}|(?<=[?&]code=)[\w%-]{40,}={0,2}",
    ),
    # RFC 7518: the private number of a JSON Web Key; and the private part of PuTTY's file of a key.
    SecretShape("JSON Web Key", ('"d"',), r"(?:(?<=\"d\":\")|(?<=\"d\": \"))[\w-]{40,}"),
    SecretShape(
        "PuTTY",
        ("Private-Lines",),
        r"(?<=Private-Lines: )\d+(?:\s|\\[nr])++(?:[\w+/=]{20,}+(?:\s|\\[nr])*+)++",
    ),
    # RFC 7519: a JSON Web Token begins with the base64 of '{"'. Its header is short, and a text
    # could have one beginning in the other.
    SecretShape("JSON Web Token", ("eyJ",), r"\beyJ[\w-]{8,500}\.[\w-]{8,}\.[\w-]*"),
    # RFC 6750 and RFC 7617: credentials in an Authorization header, named in any case.
    SecretShape(
        "Authorization header",
        ("earer", "EARER", "asic", "ASIC", "oken "),
        r"\bBearer\s+[\w.~+/=-]{8,}|(?i:\bbearer\s+)(?=\S*\d)[\w.~+/=-]{8,}"
        r"|(?i:\bBasic\s+)(?=\S*[\d=+/])[A-Za-z0-9+/]{12,}={0,2}"
        r"|(?<=oken )(?=[A-Za-z]*\d+[A-Za-z]+\d)[\w+/=-]{16,}",
    ),
    # RFC 3986, section 3.2.1: a user and a password before a host, or a token in place of a user.
    SecretShape(
        "Password in an address",
        ("://",),
        r"(?<=://)[^\s/:@\"']*:[^\s/@\"']+(?=@)|(?<=://)(?=\w{0,64}\d)[\w-]{16,}(?=@)",
    ),
    # Passwords that programs take on their command lines.
    SecretShape(
        "curl, sshpass",
        ("curl ", "wget ", "http ", "sshpass "),
        r"(?:(?<=\s-u )|(?<=\s-a )|(?<=--user )|(?<=--user=))"
        r"[\"']?[^\s:'\"-][^\s:'\"]*:[^\s'\"]{4,}"
        r"|(?<=sshpass -p )\S{4,}",
    ),
    SecretShape(
        "MySQL", ("mysql", "mariadb"), r"(?<=\s-p)(?=[^\s\"']{0,64}\d)[^\s\"']{6,}(?=[\s\"']|\Z)"
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
