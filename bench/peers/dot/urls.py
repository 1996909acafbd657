"""Its endpoints, and a resource that asks for a token."""

from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from oauth2_provider.decorators import protected_resource


@protected_resource()
def resource(request: HttpRequest) -> JsonResponse:
    """Say whose token it is."""
    return JsonResponse({"user": request.resource_owner and request.resource_owner.pk})


urlpatterns = [
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("resource", resource),
]
