"""What every page does when something goes wrong below it."""

import functools
from collections.abc import Callable

from chalice import Blueprint, Response
from chalice.app import Request

from chalicelib.accounts.mail import MailFailed
from chalicelib.catalogue import MAIL_FAILED, REQUEST_REFUSED, STORAGE_FAILED, UNEXPECTED
from chalicelib.journal import tell, tell_failure
from chalicelib.models.table import Conflict, StorageError
from chalicelib.oauth.errors import OAuthError, TemporarilyUnavailable
from chalicelib.pages import texts
from chalicelib.pages.rendering import error_page, retry_after

View = Callable[..., Response]


def guarded(blueprint: Blueprint) -> Callable[[View], View]:
    """Turn errors into pages.

    Malformed forms into 400, what somebody else changed at the same time into 409, failing
    storage and mail into 503, surprises into 500.
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded_view(**captured: str) -> Response:
            request = blueprint.current_request
            try:
                return view(**captured)
            except (StorageError, TemporarilyUnavailable) as error:
                tell_failure(STORAGE_FAILED, error)
                return _unavailable(request, "error.busy")
            except MailFailed as error:
                tell(MAIL_FAILED, reason=error)
                return _unavailable(request, "error.mail_failed")
            except Conflict:
                return error_page(request, 409, texts.html("error.changed"))
            except OAuthError as error:
                tell(REQUEST_REFUSED, error=error.error, description=error.description)
                return error_page(request, 400, error.description)
            except Exception as error:
                tell_failure(UNEXPECTED, error)
                return error_page(request, 500, texts.html("error.broken"))

        return guarded_view

    return decorate


def _unavailable(request: Request, text: str) -> Response:
    return retry_after(TemporarilyUnavailable.RETRY_AFTER, error_page(request, 503, texts.html(text)))
