"""The stylesheet."""

from chalice import Blueprint, Response

from chalicelib.pages.rendering import stylesheet

blueprint = Blueprint(__name__)


@blueprint.route("/static/style.css", methods=["GET"])
def style() -> Response:
    """Serve the stylesheet."""
    headers: dict[str, str | list[str]] = {
        "Content-Type": "text/css; charset=utf-8",
        "Cache-Control": "public, max-age=3600",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(stylesheet(), headers=headers)
