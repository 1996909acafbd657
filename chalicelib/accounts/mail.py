"""Sends mail, to where the setting `mail` says.

A mail is plain text, without links, and has nothing in it that who asked for it could choose.
"""

import functools
import os
import re
from email.message import EmailMessage
from email.utils import formataddr, formatdate, parseaddr
from pathlib import Path
from typing import Any

from chalicelib import clock, deadline
from chalicelib.settings import EMAIL, settings

CONNECT_TIMEOUT, READ_TIMEOUT, ATTEMPTS = 1, 3, 2
"""Seconds, seconds and count: at worst 8 seconds of waiting for one mail."""


class MailFailed(Exception):
    """A mail could not be sent. The message has the reason, and no address."""


LONGEST = 191
"""Characters of an address: no account takes a longer domain."""


def can_reach(email: str) -> bool:
    """Tell whether this is one address, in a form that no mail system takes for more than that."""
    encoded_word = "=?"  # RFC 2047: what is read may be another address than what is written.
    return re.fullmatch(EMAIL, email) is not None and len(email) <= LONGEST and encoded_word not in email


def send(to: str, subject: str, text: str) -> None:
    """Send a mail.

    Args:
        to: one address that `can_reach`.
        subject: one line.
        text: plain text.

    Raises:
        ValueError: no mail can have such a head.
        MailFailed: it was not sent.
    """
    if not can_reach(to):
        raise ValueError("no address that mail can be sent to")
    if deadline.is_over():
        raise MailFailed("out of time")
    message = EmailMessage()
    message["From"] = settings.mail_from
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = formatdate(clock.now())
    message.set_content(text, cte="8bit")
    if settings.mail == "ses":
        _send_through_ses(to, message)
    elif settings.mail == "console":
        print(message, flush=True)
    else:
        _append(Path(settings.mail.removeprefix("file:")), message)


def _append(path: Path, message: EmailMessage) -> None:
    """Add a mail to a file of mails (RFC 4155)."""
    import mailbox

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        box = mailbox.mbox(path)
        box.add(message)
        box.close()
    except OSError as error:
        raise MailFailed(type(error).__name__) from None


def _send_through_ses(to: str, message: EmailMessage) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        _ses().send_email(
            FromEmailAddress=formataddr(parseaddr(settings.mail_from)),
            Destination={"ToAddresses": [to]},
            Content={
                "Simple": {
                    "Subject": {"Data": str(message["Subject"]), "Charset": "UTF-8"},
                    "Body": {"Text": {"Data": message.get_content(), "Charset": "UTF-8"}},
                }
            },
        )
    except ClientError as error:
        raise MailFailed(error.response["Error"]["Code"]) from None
    except BotoCoreError as error:
        raise MailFailed(type(error).__name__) from None


@functools.cache
def _ses() -> Any:
    """Return the client, which only a function that sends mail has to load."""
    import botocore.session
    from botocore.config import Config

    return botocore.session.get_session().create_client(
        "sesv2",
        region_name=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
        config=Config(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        ),
    )
