"""People who sign in upstream, and their accounts here.

An account is found by who the person is there (issuer and subject), and never by their e-mail
address: that may change, and be somebody else's later. The address counts once, when they come
for the first time.
"""

import secrets
from collections.abc import Callable

from chalicelib.accounts import accounts
from chalicelib.accounts.accounts import InvalidAccount
from chalicelib.catalogue import ACCOUNT_LINKED, ACCOUNT_UNLINKED
from chalicelib.journal import tell
from chalicelib.models.table import Conflict, Transaction
from chalicelib.models.user import Account, Identity
from chalicelib.oauth.credentials import digest

ATTEMPTS = 3
"""How often a first sign-in looks again, because another one was faster."""


class NotAllowed(Exception):
    """This person cannot sign in. Why is for the log, and not for them."""


def account_of(issuer: str, subject: str, verified_email: Callable[[], str]) -> Account:
    """Return the account of a person, who has proved who they are; make or link it the first time.

    Args:
        issuer: of the OpenID provider.
        subject: who they are there.
        verified_email: tells their e-mail address, if it comes to that.

    Raises:
        NotAllowed: the account is disabled, or belongs to somebody else at the same provider.
    """
    key = _key(issuer, subject)
    email = None
    for _ in range(ATTEMPTS):
        identity = Identity.find(key, Identity.ITEM)
        if identity is not None:
            linked = _allowed(Account.of(identity.account_id))
            if linked.identity != key:
                raise NotAllowed("the account was unlinked, or is linked to another provider by now")
            return linked
        email = email or verified_email()
        account = accounts.find_by_email(email)
        try:
            return _link(_allowed(account), issuer, key) if account else accounts.add(email, None, key)
        except (Conflict, InvalidAccount):
            continue
    raise NotAllowed("no account can be made for the address")


def unlink(account: Account) -> int:
    """Forget who a person is upstream, end all sessions, and revoke all that was granted in their name.

    Whoever signs in upstream next with a verified address that is the account's gets it.

    Returns:
        How many grants were revoked.

    Raises:
        Conflict: somebody else changed the account since it was read.
    """
    key, account.identity = account.identity, None
    account.epoch += 1
    with Transaction(client_request_token=secrets.token_urlsafe(24)) as transaction:
        account.write_in(transaction)
        if key is not None:
            transaction.delete(Identity(key, Identity.ITEM))
    tell(ACCOUNT_UNLINKED, user_id=account.user_id)
    return accounts.revoke_all(account.user_id, "identity unlinked")


def _allowed(account: Account | None) -> Account:
    if account is None or account.disabled_at is not None:
        raise NotAllowed("the account is disabled")
    return account


def _link(account: Account, issuer: str, key: str) -> Account:
    """Link an account that was there before, by its address.

    Whoever else at the same provider had the address before keeps the account: mailboxes are handed
    on. Only the operator can tell (`unlink`).
    """
    if account.identity is not None and account.identity.startswith(_key(issuer)):
        raise NotAllowed("the account belongs to another subject of the provider")
    account.identity = key
    with Transaction(client_request_token=secrets.token_urlsafe(24)) as transaction:
        account.write_in(transaction)
        identity = Identity(key, Identity.ITEM, account_id=account.user_id)
        transaction.save(identity, Identity.user_id.does_not_exist())
    tell(ACCOUNT_LINKED, user_id=account.user_id)
    return account


def _key(issuer: str, subject: str | None = None) -> str:
    """Return the key of an identity, or how those of an issuer start."""
    start = f"identity#{digest(issuer)}#"
    return start if subject is None else start + digest(subject)
