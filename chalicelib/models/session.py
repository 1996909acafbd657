"""The table `sessions`: what is short-lived and found by its key. All of it expires (TTL)."""

from pynamodb.attributes import DiscriminatorAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.models.table import EpochSeconds, Table, table_name


class SessionRow(Table):
    """Any row of the table."""

    class Meta:
        table_name = table_name("sessions")

    key = UnicodeAttribute(hash_key=True)
    """What kind of row it is, '#', and the name it has among its kind."""
    kind = DiscriminatorAttribute()
    expires_at = EpochSeconds()


class BrowserSession(SessionRow, discriminator="browser"):
    """A browser in which somebody is signed in. Valid while the account's epoch is the same."""

    user_id = UnicodeAttribute()
    epoch = NumberAttribute()
    signed_in_at = EpochSeconds()
    """When the password was last given (`auth_time`)."""
