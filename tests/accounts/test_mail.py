"""Mail: to whom it goes, through what, and that nothing can be smuggled into it."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import moto
import pytest
from moto.ses.models import ses_backends

from chalicelib.accounts import mail
from chalicelib.accounts.mail import MailFailed
from tests.mails import Mailbox

ChangeSetting = Callable[[str, object], None]
TO = "user@example.org"


@pytest.fixture
def ses(change_setting: ChangeSetting) -> Iterator[Any]:
    """Return what SES has sent."""
    change_setting("mail", "ses")
    change_setting("mail_from", "Käse & Maps <no-reply@maps.example>")
    with moto.mock_aws():
        yield boto3.client("sesv2", region_name="us-east-1")


def test_ses_sends_it_from_the_identity_that_is_verified(ses: Any) -> None:
    ses.create_email_identity(EmailIdentity="maps.example")
    mail.send(TO, "Your côde", "It is:\n\n    BCDF-GHJK\n")
    (sent,) = ses_backends["123456789012"]["us-east-1"].sent_messages
    assert sent.source == "=?utf-8?b?S8Okc2UgJiBNYXBz?= <no-reply@maps.example>"
    assert sent.destinations["ToAddresses"] == [TO]
    assert (sent.subject, sent.body) == ("Your côde", "It is:\n\n    BCDF-GHJK\n")


def test_what_ses_refuses_has_failed_without_telling_the_address(ses: Any) -> None:
    with pytest.raises(MailFailed) as failed:
        mail.send(TO, "Subject", "Text")
    assert str(failed.value) == "MessageRejected"
    assert failed.value.__suppress_context__


def test_ses_out_of_reach_has_failed(ses: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import ConnectTimeoutError

    def time_out(**_: object) -> None:
        raise ConnectTimeoutError(endpoint_url="https://email.us-east-1.amazonaws.com")

    monkeypatch.setattr(mail._ses(), "send_email", time_out)
    with pytest.raises(MailFailed, match="ConnectTimeoutError"):
        mail.send(TO, "Subject", "Text")


def test_a_file_takes_one_mail_after_the_other(mailbox: Mailbox) -> None:
    mail.send(TO, "First", "From me to you: côde")
    mail.send("other@example.org", "Second", "Text")
    first, second = mailbox.mails
    assert (first["To"], first["Subject"]) == (TO, "First")
    assert "côde" in first.get_content()
    assert "côde" in mailbox.path.read_text(encoding="utf-8")
    assert (second["To"], second["Subject"]) == ("other@example.org", "Second")
    assert first["From"] == "Community Maps <no-reply@maps.example>"
    assert first["Date"]


def test_the_console_shows_it(
    mailbox: Mailbox, change_setting: ChangeSetting, capsys: pytest.CaptureFixture[str]
) -> None:
    change_setting("mail", "console")
    mail.send(TO, "Subject", "The text")
    printed = capsys.readouterr().out
    assert f"To: {TO}" in printed
    assert "The text" in printed


@pytest.mark.parametrize(
    "to",
    [
        "",
        "a@b.example, c@d.example",
        "a@b.example\nBcc: c@d.example",
        "a@b.example\n",
        "A <a@b.example>",
        "a@b@c.example",
        "a@b.example;c@d.example",
        "ü@b.example",
        "a@[192.0.2.1]",
        "x" * 65 + "@b.example",
        "a@" + "b" * 200 + ".example",
        "=?x?q?victim?=@b.example",
        "=?utf-8?q??=@b.example",
    ],
)
def test_what_is_not_exactly_one_address_gets_no_mail(mailbox: Mailbox, to: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        mail.send(to, "Subject", "Text")
    assert mailbox.mails == []


@pytest.mark.parametrize("subject", ["Subject\nBcc: c@d.example", "Subject\r\n\r\nText"])
def test_a_subject_is_one_line(mailbox: Mailbox, subject: str) -> None:
    with pytest.raises(ValueError, match="linefeed"):
        mail.send(TO, subject, "Text")
    assert mailbox.mails == []
