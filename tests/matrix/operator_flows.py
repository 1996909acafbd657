"""What operators do at the command line."""

import json
from collections.abc import Callable
from functools import partial

from click.testing import CliRunner

from chalicelib.accounts import accounts
from chalicelib.models.client import Client
from chalicelib.models.user import Identity
from chalicelib.oauth.credentials import digest
from management.cli import manage
from tests.harness import EMAIL, Answer, is_alive
from tests.matrix.developer_flows import Reached, has_application, stored
from tests.matrix.flow import Flow, State
from tests.matrix.people_flows import NEW_PASSWORD, can_sign_in
from tests.matrix.protocol_flows import Act, has_tokens, nothing
from tests.matrix.world import World


def command(*arguments: str, typed: str = "") -> Act:
    """Run a command, in which braces are filled in: of what there is, or one got to know."""

    def act(world: World, s: State) -> Answer:
        filled = [
            argument.format(client_id=s.app.client_id, grant_id=getattr(s, "grant_id", ""))
            for argument in arguments
        ]
        result = CliRunner().invoke(manage, filled, input=typed)
        assert result.exit_code in (0, 1), result.output
        assert isinstance(result.exception, SystemExit | None), result.exception
        return Answer(result.exit_code, {}, [], result.stdout)

    return act


def revoke_session(world: World, s: State) -> Answer:
    (session,) = s.browser.cookies.values()
    return command("credential", "revoke", typed=session)(world, s)


def is_signed_out(world: World, s: State) -> bool:
    return s.browser.get("/connections").status == 303


def succeeds(holds: Callable[[World, State], object]) -> Reached:
    return lambda world, s, answer: answer.status == 0 and bool(holds(world, s))


def of_client(attribute: str, value: object) -> Callable[[World, State], bool]:
    """Tell whether an attribute of the client is set, or is not."""
    return lambda world, s: (getattr(Client.find(s.app.client_id), attribute) is not None) == value


def all_is_revoked(world: World, s: State) -> bool:
    return not is_alive(s.tokens["access_token"])


def is_operator(value: bool) -> Callable[[World, State], bool]:
    return lambda world, s: accounts.find_by_email(EMAIL).is_operator == value  # type: ignore[union-attr]


def is_disabled(world: World, s: State) -> None:
    has_tokens(world, s)
    command("user", "disable", EMAIL)(world, s)
    command("client", "disable", "{client_id}")(world, s)


def has_grant(world: World, s: State) -> None:
    has_tokens(world, s)
    s.grant_id = s.tokens["access_token"][4:12]


def is_linked(world: World, s: State) -> None:
    has_tokens(world, s)
    account = accounts.find_by_email(EMAIL)
    assert account
    account.identity = f"identity#{digest('issuer')}#{digest('subject')}"
    account.write()
    Identity(account.identity, Identity.ITEM, account_id=account.user_id).save()


def unlinked(world: World, s: State) -> bool:
    return accounts.find_by_email(EMAIL).identity is None and all_is_revoked(world, s)  # type: ignore[union-attr]


def has_other_owner(world: World, s: State) -> None:
    has_application(world, s)
    world.add_account("other@example.org")


def import_for_other_owner(world: World, s: State) -> Answer:
    client = stored(s)
    assert client
    entry = {"client_id": client.client_id, "client_name": "Mine", "redirect_uris": [s.mine.redirect_uri]}
    entries = json.dumps([entry | {"owner": "other@example.org", "client_secret": s.mine.client_secret}])
    return command("client", "import", "-", "--if-exists", "replace", typed=entries)(world, s)


def belongs_to_other(world: World, s: State) -> bool:
    client, other = stored(s), accounts.find_by_email("other@example.org")
    return client is not None and other is not None and client.owner == other.user_id


_flow = partial(Flow, refusals=(1,))
"""A command that fails says so by its exit code."""

FLOWS = [
    _flow(
        "manage client disable",
        has_tokens,
        command("client", "disable", "{client_id}"),
        succeeds(all_is_revoked),
    ),
    _flow(
        "manage client enable",
        is_disabled,
        command("client", "enable", "{client_id}"),
        succeeds(of_client("disabled_at", False)),
    ),
    _flow(
        "manage client unverify",
        nothing,
        command("client", "unverify", "{client_id}"),
        succeeds(of_client("verified_at", False)),
    ),
    _flow(
        "manage client import",
        has_other_owner,
        import_for_other_owner,
        succeeds(belongs_to_other),
    ),
    _flow(
        "manage user disable",
        has_tokens,
        command("user", "disable", EMAIL),
        succeeds(all_is_revoked),
    ),
    _flow(
        "manage user enable",
        is_disabled,
        command("user", "enable", EMAIL),
        succeeds(lambda *_: can_sign_in(EMAIL, "correct horse")),
    ),
    _flow(
        "manage user set-password",
        has_tokens,
        command("user", "set-password", EMAIL, "--password-stdin", typed=NEW_PASSWORD),
        succeeds(lambda w, s: can_sign_in(EMAIL, NEW_PASSWORD) and all_is_revoked(w, s)),
    ),
    _flow(
        "manage user promote",
        nothing,
        command("user", "promote", EMAIL),
        succeeds(is_operator(True)),
    ),
    _flow("manage user unlink", is_linked, command("user", "unlink", EMAIL), succeeds(unlinked)),
    _flow(
        "manage user add",
        nothing,
        command("user", "add", "new@example.org", "--password-stdin", typed=NEW_PASSWORD),
        succeeds(lambda *_: can_sign_in("new@example.org", NEW_PASSWORD)),
        again=lambda w, s: (
            Answer(0, {}, [], "")
            if command("user", "list")(w, s).body.count("new@example.org")
            else command("user", "add", "new@example.org", "--password-stdin", typed=NEW_PASSWORD)(w, s)
        ),
    ),
    _flow(
        "manage grant revoke",
        has_grant,
        command("grant", "revoke", "{grant_id}"),
        succeeds(all_is_revoked),
    ),
    _flow(
        "manage credential revoke",
        has_tokens,
        revoke_session,
        lambda w, s, answer: is_signed_out(w, s),
    ),
    _flow(
        "manage grant revoke --user",
        has_tokens,
        command("grant", "revoke", "--user", EMAIL),
        succeeds(all_is_revoked),
    ),
    _flow(
        "manage grant revoke --client",
        has_tokens,
        command("grant", "revoke", "--client", "{client_id}"),
        succeeds(all_is_revoked),
    ),
    _flow(
        "manage grant list --user",
        has_tokens,
        command("grant", "list", "--user", EMAIL),
        succeeds(lambda *_: True),
    ),
    _flow(
        "manage grant list --client",
        has_tokens,
        command("grant", "list", "--client", "{client_id}"),
        succeeds(lambda *_: True),
    ),
    _flow("manage audit", has_tokens, command("audit"), succeeds(lambda *_: True)),
]
