"""Accounts that register applications: who may, and which are theirs."""

from chalicelib.models.client import Client
from chalicelib.models.user import Account, UserApplication
from chalicelib.settings import settings

MAX_APPLICATIONS = 50
"""Of one account."""

_POINTERS = UserApplication.item.startswith(UserApplication.ITEMS)


def may_register(account: Account) -> bool:
    """Tell whether an account may register applications. Operators always may."""
    if account.is_operator or settings.may_register == "everyone":
        return True
    address = account.email.lower()
    allowed = settings.may_register.lower().split()
    return address in allowed or "@" + address.rpartition("@")[2] in allowed


def has_room(account: Account) -> bool:
    """Tell whether an account has fewer applications than it may."""
    return UserApplication.count(account.user_id, _POINTERS, consistent_read=True) < MAX_APPLICATIONS


def applications_of(account: Account) -> list[Client]:
    """Return the applications of an account, by name. Reads consistently: none is missing."""
    pointers = UserApplication.query(account.user_id, _POINTERS, consistent_read=True)
    clients = Client.batch_get([pointer.client_id for pointer in pointers], consistent_read=True)
    return sorted(clients, key=lambda client: (client.client_name.lower(), client.client_id))
