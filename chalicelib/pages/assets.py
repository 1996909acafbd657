"""The stylesheet, and the one script: it saves a click where a form goes back to an application."""

from chalice import Blueprint, Response

from chalicelib.pages.rendering import asset

blueprint = Blueprint(__name__)


@blueprint.route("/static/style.css", methods=["GET"], content_types=[], name="style")
def style() -> Response:
    """Serve the stylesheet."""
    return _serve("style.css", "text/css; charset=utf-8")


@blueprint.route("/static/form_post.js", methods=["GET"], content_types=[], name="form_post")
def form_post() -> Response:
    """Serve the script."""
    return _serve("form_post.js", "text/javascript; charset=utf-8")


def _serve(name: str, content_type: str) -> Response:
    headers: dict[str, str | list[str]] = {
        "Content-Type": content_type,
        "Cache-Control": "public, max-age=3600",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(asset(name), headers=headers)
