"""What every page does when something goes wrong below it."""

import functools
import logging
from collections.abc import Callable

from chalice import Blueprint, Response

from chalicelib.models.table import StorageError
from chalicelib.oauth.errors import OAuthError, TemporarilyUnavailable
from chalicelib.pages.rendering import error_page

log = logging.getLogger(__name__)

_BUSY = "The server is busy. Nothing was changed; reload the page to try again."
_BROKEN = "The server met an unexpected condition. Reload the page to try again."

View = Callable[[], Response]


def guarded(blueprint: Blueprint) -> Callable[[View], View]:
    """Turn errors into pages: malformed forms into 400, failing storage into 503, surprises into 500."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded_view() -> Response:
            request = blueprint.current_request
            try:
                return view()
            except (StorageError, TemporarilyUnavailable):
                log.exception("storage failed")
                response = error_page(request, 503, _BUSY)
                response.headers["Retry-After"] = str(TemporarilyUnavailable.RETRY_AFTER)
                return response
            except OAuthError as error:
                return error_page(request, 400, error.description)
            except Exception:
                log.exception("unexpected error")
                return error_page(request, 500, _BROKEN)

        return guarded_view

    return decorate
