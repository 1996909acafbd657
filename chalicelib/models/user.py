"""The table `users`: one partition for each person, with the account and what it consented to."""

from collections.abc import Iterable

from pynamodb.attributes import (
    BooleanAttribute,
    DiscriminatorAttribute,
    NumberAttribute,
    UnicodeAttribute,
)

from chalicelib.models.table import EpochSeconds, Maps, OwnMap, Row, Table, table_name


class UserRow(Table):
    """Any row of the table."""

    class Meta:
        table_name = table_name("users")

    user_id = UnicodeAttribute(hash_key=True)
    item = UnicodeAttribute(range_key=True)
    kind = DiscriminatorAttribute()


class Kept(OwnMap):
    """A client that stays connected to an account, though its password is new."""

    client_id = UnicodeAttribute()
    since = NumberAttribute()
    """The epoch from which on its grants stay. Those from before it were to end with an older password."""


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
    revoke_before = NumberAttribute(null=True)
    """Since a new password, and until it is done: what was granted before this epoch is to be revoked.

    What comes while it is not done is granted by who knows the new password.
    """
    kept: Maps[Kept] = Maps(of=Kept, null=True)
    """Less what these clients were granted."""

    @classmethod
    def of(cls, user_id: str) -> "Account | None":
        """Read the account of a person, consistently; None if there is none."""
        return cls.find(user_id, cls.ITEM)

    def begin_epoch(self, kept: Iterable[str] = ()) -> None:
        """End all sessions, and note that what was granted is to end as well, and what is to stay.

        Args:
            kept: ids of the clients that stay connected.
        """
        self.kept = [Kept(client_id=client_id, since=self._ends_before(client_id)) for client_id in kept]
        self.epoch += 1
        self.revoke_before = self.epoch

    def is_to_end(self, granted: "Consent | UserGrant") -> bool:
        """Tell whether something should have ended with a password, and is there still."""
        return granted.epoch < self._ends_before(granted.client_id)

    def _ends_before(self, client_id: str) -> float:
        """Return the epoch before which what a client was granted is to end; 0: nothing is."""
        if self.revoke_before is None:
            return 0
        since = {kept.client_id: kept.since for kept in self.kept or ()}
        return since.get(client_id, self.revoke_before)


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
    granted_at = EpochSeconds(default=0)
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
