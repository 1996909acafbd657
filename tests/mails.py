"""Reads the mail that the server sends."""

import email
import email.policy
import mailbox
import re
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

CODE = re.compile(r"\b[A-Z]{4}-[A-Z]{4}\b")


@dataclass(frozen=True)
class Mailbox:
    """A file of mails."""

    path: Path

    @property
    def mails(self) -> list[EmailMessage]:
        """All of them, the oldest first."""
        if not self.path.exists():
            return []
        return [self._parse(message) for message in mailbox.mbox(self.path)]

    @property
    def last(self) -> EmailMessage:
        return self.mails[-1]

    @property
    def code(self) -> str:
        """The code in the last mail, where there has to be one."""
        (code,) = CODE.findall(self.last.get_content())
        return str(code)

    @staticmethod
    def _parse(message: mailbox.mboxMessage) -> EmailMessage:
        parsed = email.message_from_bytes(bytes(message), policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed
