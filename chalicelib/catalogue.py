"""Every event that is told of: its name, how bad it is, what counts it, and whether the audit trail has it.

`journal.tell` tells of them, and `management.infrastructure.metrics` lets CloudWatch count them in the
log. An event is audited if it changes who may do what, or says that somebody tries to get what is not
theirs; and if nobody can bring it about without limit. What happens on every request is counted and
logged, and not audited.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A metric of CloudWatch that an event counts or measures."""

    name: str
    dimension: str = ""
    of: str = ""
    """The field that has the dimension's value."""
    value: str = ""
    """The field that has the metric's value. None: each event counts as one."""
    unit: str = "Count"
    least: tuple[str, int] | None = None
    """A field, and what it has to be at least for the event to count."""


SECURITY = (Metric("SecurityEvents", "Event", of="event"),)

INFO, WARNING, ERROR = "INFO", "WARNING", "ERROR"

ALWAYS = ("time", "level", "event", "request_id", "source_ip", "client_id", "actor", "audited")
"""Fields that any event may have. `actor` is who is signed in, or the operator at the command line;
`audited` is false if the audit trail should have had the event, and could not take it. In Lambda
CloudWatch has the `time`."""


@dataclass(frozen=True)
class Event:
    """Something that happens."""

    name: str
    about: str
    fields: tuple[str, ...] = ()
    """What it may have besides those that all have."""
    level: str = INFO
    metrics: tuple[Metric, ...] = ()
    audited: bool = False


GRANT = ("grant_id", "user_id")
FAILURE = ("exception", "code", "traceback")

# Requests

REQUEST = Event(
    "request",
    "A request was answered; the last line of each",
    ("endpoint", "group", "status", "duration_ms", "dynamodb_requests", "gateway_request_id"),
    metrics=(
        Metric("Latency", "Endpoint", of="group", value="duration_ms", unit="Milliseconds"),
        Metric("ServerErrors", least=("status", 500)),
    ),
)
REQUEST_REFUSED = Event(
    "request.refused",
    "An application did something wrong, or has to wait (`authorization_pending`)",
    ("error", "description"),
    metrics=(Metric("RequestsRefused", "Error", of="error"),),
)
STORAGE_FAILED = Event("storage.failed", "DynamoDB did not do what it was asked", FAILURE, ERROR)
MAIL_FAILED = Event("mail.failed", "A mail was not sent", ("reason",), ERROR)
UNEXPECTED = Event("error.unexpected", "A mistake in this program", FAILURE, ERROR)
DYNAMODB_THROTTLED = Event(
    "dynamodb.throttled",
    "DynamoDB refused a request because there are too many; it is tried again",
    ("operation", "code"),
    WARNING,
    (Metric("DynamoDBThrottles"),),
)
LIBRARY = Event("library", "A library says something", ("logger", "message", *FAILURE), WARNING)
AUDIT_FAILED = Event(
    "audit.failed", "The audit trail does not have an event", ("missing", *FAILURE), ERROR, SECURITY
)

# The authorizer

DECISION = (Metric("AuthorizerDecisions", "Decision", of="decision"),)
DECIDED = ("decision", "duration_ms")
AUTHORIZER_ALLOWED = Event("authorizer.allowed", "A token is valid", (*DECIDED, *GRANT), metrics=DECISION)
AUTHORIZER_REFUSED = Event(
    "authorizer.refused",
    "A token is not: `no_token`, `malformed`, `unknown`, `expired` or `revoked`",
    (*DECIDED, "reason", *GRANT),
    metrics=DECISION,
)
AUTHORIZER_FAILED = Event(
    "authorizer.failed",
    "Nobody knows, so nobody gets in: `storage` did not answer, or something `unexpected`",
    (*DECIDED, "reason", *FAILURE),
    ERROR,
    DECISION,
)

SCOPE_RULES_REFUSED = Event(
    "authorizer.rules_refused",
    "The scope rules that an API brings are wrong, so nobody gets in there",
    ("api", "problem"),
    ERROR,
)

# Tokens

TOKEN_ISSUED = Event(
    "token.issued",
    "An access token, and maybe a refresh token, was issued",
    ("grant_type", "scope", *GRANT),
    metrics=(Metric("TokensIssued", "GrantType", of="grant_type"),),
)
TOKEN_REPEATED = Event(
    "token.repeated", "A client that saw no answer was told it again", ("grant_type", "scope", *GRANT)
)
TOKEN_REVOKED = Event("token.revoked", "An application ended an access token", GRANT)
GRANT_REVOKED = Event("grant.revoked", "An application ended a grant", GRANT)
CODE_REPLAYED = Event(
    "code.replayed", "An authorization code came twice; its grant is revoked", GRANT, WARNING, SECURITY, True
)
REFRESH_REUSED = Event(
    "refresh.reused",
    "A refresh token came again, too late; its grant is revoked",
    GRANT,
    WARNING,
    SECURITY,
    True,
)
DEVICE_CODE_REPLAYED = Event(
    "device_code.replayed",
    "A device code came again, too late; its grant is revoked",
    GRANT,
    WARNING,
    SECURITY,
    True,
)
CLIENT_AUTHENTICATION_FAILED = Event(
    "client.authentication_failed",
    "A client could not prove who it is; `client_id` if there is one",
    (),
    WARNING,
)

# Consent

CONSENT_GIVEN = Event(
    "consent.given",
    "Somebody was asked and allowed it; `by` page or device",
    ("by", "scope", *GRANT),
    audited=True,
)
CONSENT_REMEMBERED = Event(
    "consent.remembered", "A grant was made unasked, since its user had allowed it before", ("scope", *GRANT)
)
CONSENT_DENIED = Event("consent.denied", "Somebody was asked and said no", ("by", "scope", *GRANT))
CONSENT_WITHDRAWN = Event(
    "consent.withdrawn", "Somebody disconnected an application", ("user_id", "count"), audited=True
)
GRANTS_REVOKED = Event(
    "grants.revoked",
    "Grants were ended together: of a user, of a client, or some",
    ("user_id", "grant_ids", "count", "because"),
    audited=True,
)

# People

SIGN_IN_SUCCEEDED = Event(
    "sign_in.succeeded", "Somebody signed in; `method` password or upstream", ("user_id", "method")
)
SIGN_IN_FAILED = Event(
    "sign_in.failed",
    "Somebody did not; `user_id` if there is such an account",
    ("user_id",),
    WARNING,
    (Metric("SignInsFailed"),),
)
SIGN_IN_THROTTLED = Event(
    "sign_in.throttled",
    "Wrong passwords for an account, or from an address (`limit`), have to wait from now on",
    ("limit", "user_id"),
    WARNING,
    SECURITY,
    True,
)
USER_CODE_THROTTLED = Event(
    "user_code.throttled",
    "Wrong user codes of an account, or from an address, have to wait from now on",
    ("limit", "user_id"),
    WARNING,
    SECURITY,
    True,
)
MAIL_THROTTLED = Event(
    "mail.throttled", "Mails to or from an address have to wait from now on", ("limit",), WARNING, SECURITY
)
ATTEMPT_REFUSED = Event("attempt.refused", "Somebody who has to wait did not", ("limit",), WARNING, SECURITY)
ACCOUNT_ADDED = Event(
    "account.added",
    "There is a new account; `method` sign_up, upstream or operator",
    ("user_id", "method"),
    audited=True,
)
ACCOUNTS_IMPORTED = Event("accounts.imported", "Accounts were imported", ("count",), audited=True)
ACCOUNT_LINKED = Event(
    "account.linked",
    "An account belongs to somebody at the OpenID provider from now on",
    ("user_id",),
    WARNING,
    audited=True,
)
ACCOUNT_UNLINKED = Event("account.unlinked", "It does no longer", ("user_id",), audited=True)
ACCOUNT_DISABLED = Event("account.disabled", "An account was disabled", ("user_id",), audited=True)
ACCOUNT_ENABLED = Event("account.enabled", "A disabled account was enabled", ("user_id",), audited=True)
ACCOUNT_REMOVED = Event("account.removed", "`doctor` removed its account", ("user_id",), audited=True)
ACCOUNT_PROMOTED = Event("account.promoted", "Somebody became an operator", ("user_id",), audited=True)
ACCOUNT_DEMOTED = Event("account.demoted", "An operator became like all others", ("user_id",), audited=True)
PASSWORD_CHANGED = Event(
    "password.changed", "By who knew the old one, or an operator", ("user_id",), audited=True
)
PASSWORD_RESET = Event("password.reset", "By a code that was mailed", ("user_id",), WARNING, audited=True)
PASSWORD_NOT_UPGRADED = Event(
    "password.not_upgraded", "Another system's hash stays for now", ("user_id", *FAILURE), WARNING
)
REVOCATION_INCOMPLETE = Event(
    "revocation.incomplete",
    "A password changed, and not all grants ended that should; the next sign-in goes on, or "
    "`grant revoke --user`",
    ("user_id", *FAILURE),
    ERROR,
)
SESSIONS_ENDED = Event("sessions.ended", "Somebody signed out everywhere", ("user_id",), audited=True)
UPSTREAM_REFUSED = Event(
    "upstream.refused", "Somebody came from the OpenID provider and cannot sign in", ("reason",), WARNING
)
UPSTREAM_FAILED = Event(
    "upstream.failed", "The OpenID provider does not answer as it should", ("reason",), ERROR
)

# Applications

CLIENT_REGISTERED = Event("client.registered", "There is a new application", ("owner",), audited=True)
CLIENT_CHANGED = Event("client.changed", "What an application is registered for", ("changed",), audited=True)
CLIENT_SECRET_ROTATED = Event(
    "client.secret_rotated", "The old one counts for `overlap` seconds more", ("overlap",), audited=True
)
CLIENT_DISABLED = Event("client.disabled", "An application is refused from now on", audited=True)
CLIENT_ENABLED = Event("client.enabled", "It is served again", audited=True)
CLIENT_VERIFIED = Event("client.verified", "The platform knows who is behind it", audited=True)
CLIENT_UNVERIFIED = Event("client.unverified", "It does no longer vouch for it", audited=True)
CLIENT_CONSENTS_FORGOTTEN = Event(
    "client.consents_forgotten", "All its users are asked anew, whatever they agreed to", audited=True
)
CLIENT_DELETED = Event("client.deleted", "An application was deleted", audited=True)
CLIENTS_IMPORTED = Event(
    "clients.imported", "Applications were imported", ("count", "replaced"), audited=True
)
TABLES_CREATED = Event("tables.created", "Tables were created", ("tables",), audited=True)
STAGE_EXPORTED = Event(
    "stage.exported", "A stage was written to a file", ("count", "table_prefix", "sha256"), audited=True
)
STAGE_IMPORTED = Event(
    "stage.imported", "A stage was read from a file", ("count", "table_prefix", "sha256"), audited=True
)

EVENTS = {event.name: event for event in list(globals().values()) if isinstance(event, Event)}
