"""Redact secrets: the one place that knows what looks like a key, a token or a password.

Cassettes, errors, `%chat explain`, logs and exports all pass through it, so that a shape that is
added to the table is redacted everywhere.
"""

from __future__ import annotations

from chatnb.redaction.secrets import PLACEHOLDER_KEY as PLACEHOLDER_KEY
from chatnb.redaction.secrets import REDACTED as REDACTED
from chatnb.redaction.secrets import SecretText as SecretText
from chatnb.redaction.secrets import call_options as call_options
from chatnb.redaction.secrets import environment_secret as environment_secret
from chatnb.redaction.secrets import environment_secrets as environment_secrets
from chatnb.redaction.secrets import hide as hide
from chatnb.redaction.secrets import hide_in_config as hide_in_config
from chatnb.redaction.secrets import hide_in_options as hide_in_options
from chatnb.redaction.secrets import is_secret_name as is_secret_name
from chatnb.redaction.secrets import model_secrets as model_secrets
from chatnb.redaction.secrets import secrets_in as secrets_in
from chatnb.redaction.texts import redact as redact
from chatnb.redaction.texts import redact_errors as redact_errors
from chatnb.redaction.texts import redact_json as redact_json
from chatnb.redaction.texts import redact_value as redact_value
