"""What things are called: in the template, and in AWS."""


def logical_id(name: str, suffix: str) -> str:
    """Return what the template calls a thing, as Chalice's own names are: `api_handler`, `ApiHandlerRole`."""
    return "".join(part.capitalize() for part in name.split("_")) + suffix
