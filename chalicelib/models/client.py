"""The table `clients`: registered applications (RFC 6749 section 2; attributes as in RFC 7591)."""

from pynamodb.attributes import BooleanAttribute, ListAttribute, UnicodeAttribute

from chalicelib.models.table import EpochSeconds, Maps, OwnMap, Row, table_name


class ClientSecret(OwnMap):
    """A valid secret of a client. Two are valid while a rotation lasts, or three."""

    hash = UnicodeAttribute()
    """SHA-256 of the secret, as `credentials.digest` writes it."""
    created_at = EpochSeconds()
    expires_at = EpochSeconds(null=True)


class Client(Row):
    """An application that may ask for access."""

    class Meta:
        table_name = table_name("clients")

    client_id = UnicodeAttribute(hash_key=True)
    client_name = UnicodeAttribute()
    description = UnicodeAttribute(null=True)
    """What it is, in its developer's words."""
    client_uri = UnicodeAttribute(null=True)
    """Its homepage."""
    application_type = UnicodeAttribute(null=True)
    """What its developer called it (`applications.TYPES`)."""
    redirect_uris: ListAttribute[str] = ListAttribute(default=list)
    grant_types: ListAttribute[str] = ListAttribute()
    scope = UnicodeAttribute()
    """The most that it may ask for, separated by spaces."""
    token_endpoint_auth_method = UnicodeAttribute(null=True)
    """As in RFC 7591 section 2; none at all: `client_secret_basic` and `client_secret_post` alike."""
    secrets: Maps[ClientSecret] = Maps(of=ClientSecret, default=list)
    jwks = UnicodeAttribute(null=True)
    """The public keys of `private_key_jwt`, a JWK Set (RFC 7517) as JSON."""
    may_introspect = BooleanAttribute(default=False)
    owner = UnicodeAttribute(null=True)
    """The user id of the account that it belongs to."""
    created_at = EpochSeconds()
    verified_at = EpochSeconds(null=True)
    """When the platform has looked at who is behind it. Ends when the owner changes what users see."""
    disabled_at = EpochSeconds(null=True)
    consents_since = EpochSeconds(null=True)
    """Only what users agreed to after this counts: it was enabled again, or all its grants were revoked."""

    @property
    def is_public(self) -> bool:
        """Whether the client cannot keep a secret (RFC 6749 section 2.1)."""
        return bool(self.token_endpoint_auth_method == "none")

    @property
    def has_secret(self) -> bool:
        """Whether the client authenticates by a secret."""
        return self.token_endpoint_auth_method not in ("none", "private_key_jwt")
