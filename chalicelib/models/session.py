"""The table `sessions`: what is short-lived and found by its key. All of it expires (TTL)."""

from pynamodb.attributes import DiscriminatorAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.models.table import Conflict, EpochSeconds, Row, Table, table_name


class SessionRow(Table):
    """Any row of the table."""

    class Meta:
        table_name = table_name("sessions")

    key = UnicodeAttribute(hash_key=True)
    """What kind of row it is, '#', and the name it has among its kind."""
    kind = DiscriminatorAttribute()
    expires_at = EpochSeconds()


class SpentAssertion(SessionRow, Row, discriminator="assertion"):
    """A client assertion that was used, by its `jti`: it counts once (RFC 7523 section 3)."""

    @classmethod
    def spend(cls, client_id: str, jti_hash: str, expires_at: int) -> bool:
        """Mark an assertion as used, atomically; False if it was already.

        Args:
            client_id: whose it is.
            jti_hash: the digest of its `jti`.
            expires_at: until when it has to be remembered, in epoch seconds.
        """
        try:
            cls(f"assertion#{client_id}#{jti_hash}", expires_at=expires_at).write()
        except Conflict:
            return False
        return True


class UserCode(SessionRow, discriminator="user_code"):
    """Leads from the code that a person types to the grant that a device asks for (RFC 8628)."""

    grant_id = UnicodeAttribute()

    @staticmethod
    def key_of(user_code_hash: str) -> str:
        """Return the key under which a user code is found, by its digest."""
        return f"user_code#{user_code_hash}"


class Throttle(SessionRow, Row, discriminator="throttle"):
    """How often something has been tried lately, for an account or from an address."""

    failures = NumberAttribute(default=0)
    blocked_until = EpochSeconds()


class MailedCode(SessionRow, Row, discriminator="mailed-code"):
    """A code that was mailed to whom a browser says that it belongs to, until it is typed there."""

    email = UnicodeAttribute()
    code_mac = UnicodeAttribute()
    """The code's HMAC under the browser's cookie, which the table does not have."""
    failures = NumberAttribute(default=0)


class BrowserSession(SessionRow, discriminator="browser"):
    """A browser in which somebody is signed in. Valid while the account's epoch is the same."""

    user_id = UnicodeAttribute()
    epoch = NumberAttribute()
    signed_in_at = EpochSeconds()
    """When the password was last given (`auth_time`)."""
    last_used_at = EpochSeconds()

    @classmethod
    def use(cls, key: str, now: int, idle_lifetime: int) -> "BrowserSession | None":
        """Read a session that is not over, and note that it is in use: one request.

        Args:
            key: of its row.
            now: in epoch seconds.
            idle_lifetime: how long, in seconds, it may have been unused.
        """
        session = cls(key)
        alive = (cls.expires_at > now) & (cls.last_used_at > now - idle_lifetime)
        return session if session.update_if(alive, cls.last_used_at.set(now)) else None


class UpstreamSignIn(SessionRow, discriminator="upstream"):
    """A browser that is away, to sign in with the OpenID provider."""

    continue_to = UnicodeAttribute()
    """A path of ours, where it goes on."""
    prompt = UnicodeAttribute(null=True)
    """What the provider was asked to do in any case (`login`)."""

    @classmethod
    def spend(cls, key: str, now: int) -> "UpstreamSignIn | None":
        """Return the one that comes back, for the first time and in time: one request.

        Args:
            key: of its row.
            now: in epoch seconds. It is over from now on.
        """
        sign_in = cls(key)
        return sign_in if sign_in.update_if(cls.expires_at > now, cls.expires_at.set(now)) else None
