"""The table `users`: one partition for each person, with the account and what it consented to."""

from pynamodb.attributes import (
    BooleanAttribute,
    DiscriminatorAttribute,
    ListAttribute,
    NumberAttribute,
    UnicodeAttribute,
)

from chalicelib.models.table import EpochSeconds, Row, Table, table_name


class UserRow(Table):
    """Any row of the table."""

    class Meta:
        table_name = table_name("users")

    user_id = UnicodeAttribute(hash_key=True)
    item = UnicodeAttribute(range_key=True)
    kind = DiscriminatorAttribute()


class Account(UserRow, Row, discriminator="account"):
    """Somebody who can sign in."""

    ITEM = "account"

    email = UnicodeAttribute()
    password_hash = UnicodeAttribute(null=True)
    epoch = NumberAttribute(default=0)
    """Counts up whenever all sessions must end: a new password, the account disabled or enabled."""
    is_operator = BooleanAttribute(default=False)
    """Whether this person may look after other people's applications."""
    created_at = EpochSeconds()
    disabled_at = EpochSeconds(null=True)
    identity = UnicodeAttribute(null=True)
    """The key of the `Identity` by which this person signs in upstream."""
    revoke_all_but: ListAttribute[str] = ListAttribute(null=True)
    """Since a new password, and until it is done: grants are to be revoked, less those of these clients."""
    revoke_before = NumberAttribute(null=True)
    """Only what was granted before this epoch: what comes while it is not done is the new password's."""

    @classmethod
    def of(cls, user_id: str) -> "Account | None":
        """Read the account of a person, consistently; None if there is none."""
        return cls.find(user_id, cls.ITEM)


class EmailAddress(UserRow, discriminator="email"):
    """Says whose an address is. `user_id` holds the address, which makes it unique."""

    ITEM = "email"

    account_id = UnicodeAttribute()


class Identity(UserRow, discriminator="identity"):
    """Says whose account a person at an OpenID provider has. Its key is made of issuer and subject."""

    ITEM = "identity"

    account_id = UnicodeAttribute()


class Consent(UserRow, discriminator="consent"):
    """What this person agreed that a client may do, so that they need not be asked again."""

    client_id = UnicodeAttribute()
    scope = UnicodeAttribute()
    granted_at = EpochSeconds()
    epoch = NumberAttribute(default=0)
    """The account's, when it was given."""

    @staticmethod
    def item_of(client_id: str) -> str:
        """Return the range key of the consent to a client."""
        return f"consent#{client_id}"


class UserGrant(UserRow, discriminator="grant"):
    """Points to a grant of this person. Read consistently, so that ending all of them misses none."""

    grant_id = UnicodeAttribute()
    client_id = UnicodeAttribute()
    expires_at = EpochSeconds()
    epoch = NumberAttribute(default=0)
    """The account's, when it was granted."""

    @staticmethod
    def items_of(client_id: str | None = None) -> str:
        """Return how the range keys start of all pointers, or of those to the grants of one client."""
        return "grant#" if client_id is None else f"grant#{client_id}#"


class UserApplication(UserRow, discriminator="application"):
    """Points to a client that this person registered."""

    ITEMS = "application#"

    client_id = UnicodeAttribute()

    @classmethod
    def item_of(cls, client_id: str) -> str:
        """Return the range key of the pointer to a client."""
        return cls.ITEMS + client_id
