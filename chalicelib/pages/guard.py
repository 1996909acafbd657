"""What every page does when something goes wrong below it."""

import functools
import logging
from collections.abc import Callable

from chalice import Blueprint, Response
from chalice.app import Request

from chalicelib.accounts.mail import MailFailed
from chalicelib.models.table import Conflict, StorageError
from chalicelib.oauth.errors import OAuthError, TemporarilyUnavailable
from chalicelib.pages import texts
from chalicelib.pages.rendering import error_page

log = logging.getLogger(__name__)

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
            except (StorageError, TemporarilyUnavailable):
                log.exception("storage failed")
                return _unavailable(request, "error.busy")
            except MailFailed:
                log.exception("mail failed")
                return _unavailable(request, "error.mail_failed")
            except Conflict:
                return error_page(request, 409, texts.html("error.changed"))
            except OAuthError as error:
                return error_page(request, 400, error.description)
            except Exception:
                log.exception("unexpected error")
                return error_page(request, 500, texts.html("error.broken"))

        return guarded_view

    return decorate


def _unavailable(request: Request, text: str) -> Response:
    response = error_page(request, 503, texts.html(text))
    response.headers["Retry-After"] = str(TemporarilyUnavailable.RETRY_AFTER)
    return response
