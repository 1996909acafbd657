"""Finding what a device asks for by the code that somebody typed; who guesses codes is slowed down."""

from chalicelib.accounts.throttle import Attempt, Limit
from chalicelib.catalogue import USER_CODE_THROTTLED
from chalicelib.models.user import Account
from chalicelib.oauth import device_authorization, user_codes
from chalicelib.oauth.device_authorization import DeviceRequest

PER_ACCOUNT = Limit("code-account", USER_CODE_THROTTLED, free=5, longest_wait=900, forget_after=86400)
PER_ADDRESS = Limit(
    "code-address", USER_CODE_THROTTLED, free=50, longest_wait=60, forget_after=3600, fades_every=60
)


class UnknownUserCode(Exception):
    """No device was given such a code.

    Args:
        reason: `malformed`, if no device ever is, or `unknown`.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def look_up(typed: str, account: Account, address: str) -> tuple[str, DeviceRequest]:
    """Return the code that somebody typed, and what its device asks for (RFC 8628 section 5.1).

    Args:
        typed: as it was typed.
        account: whose browser it was typed in.
        address: the IP address that it comes from.

    Raises:
        UnknownUserCode: there is none like it.
        NotPending: there is nothing to decide, or any longer.
        Throttled: after too many that there were not.
    """
    user_code = user_codes.read(typed)
    if user_code is None:
        raise UnknownUserCode("malformed")
    attempt = Attempt(account.user_id, address, PER_ACCOUNT, PER_ADDRESS)
    grant_id = device_authorization.find(user_code)
    if grant_id is None:
        attempt.failed(account.user_id)
        raise UnknownUserCode("unknown")
    attempt.withdrawn()
    return user_code, device_authorization.read_request(grant_id)
