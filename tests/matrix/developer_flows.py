"""What developers do with their applications, and operators at the command line."""

import json
from collections.abc import Callable

from click.testing import CliRunner

from chalicelib.accounts import accounts
from chalicelib.models.client import Client
from chalicelib.models.user import Identity
from chalicelib.oauth import clients
from chalicelib.oauth.credentials import digest
from management.cli import manage
from tests.harness import EMAIL, Answer, App, is_alive
from tests.matrix.flow import Flow, State
from tests.matrix.people_flows import CHANGED, NEW_PASSWORD, can_sign_in, is_refused, shows, submit, visits
from tests.matrix.protocol_flows import TRANSACTION, Act, has_tokens, meeting, nothing
from tests.matrix.world import World
from tests.pages.test_applications import authenticates, page_of, register, secret_of

Reached = Callable[[World, State, Answer], bool]


def stored(s: State) -> Client | None:
    return clients.read(s.mine.client_id)


def has_application(world: World, s: State) -> None:
    s.mine = register(s.browser)
    s.tokens = world.tokens(s.mine, s.browser)


def sees(below: str) -> Callable[[World, State], None]:
    def start(world: World, s: State) -> None:
        has_application(world, s)
        s.page = page_of(s.browser, s.mine, below)

    return start


def sees_blank_form(world: World, s: State) -> None:
    s.page = s.browser.get("/applications/new?type=web")


def send_form(world: World, s: State) -> Answer:
    return s.browser.submit(s.page, client_name="Mine", redirect_uris="https://mine.example/cb")


def is_registered(world: World, s: State, answer: Answer) -> bool:
    """Tell whether it is there, once. If its secret was not told, its owner asks for another one."""
    (mine,) = [client for client in Client.scan() if client.client_name == "Mine"]
    if answer.status not in (200, 409):
        return False
    if answer.status == 409:
        page = s.browser.get(f"/applications/{mine.client_id}")
        answer = submit(s.browser, page, "/secret", overlap="0")
        clients.forget()
    return authenticates(App(mine.client_id, secret_of(answer)))


def on_page(path: str) -> Act:
    return lambda world, s: page_of(s.browser, s.mine, path)


def change(world: World, s: State) -> Answer:
    return s.browser.submit(s.page, client_name="Changed")


def change_anew(world: World, s: State) -> Answer:
    return s.browser.submit(page_of(s.browser, s.mine, "/edit"), client_name="Changed")


def is_changed(world: World, s: State, answer: Answer) -> bool:
    client = stored(s)
    return answer.status == 303 and client is not None and client.client_name == "Changed"


def rotate(world: World, s: State) -> Answer:
    return submit(s.browser, s.page, "/secret", overlap="3600")


def rotate_anew(world: World, s: State) -> Answer:
    s.page = page_of(s.browser, s.mine)
    return rotate(world, s)


def has_two_secrets(world: World, s: State, answer: Answer) -> bool:
    """Tell whether the secret that was told works, and the one that the application has, for an hour."""
    clients.forget()
    if answer.status != 200:
        return False
    return authenticates(App(s.mine.client_id, secret_of(answer))) and authenticates(s.mine)


def delete(world: World, s: State) -> Answer:
    return s.browser.submit(s.page)


def delete_anew(world: World, s: State) -> Answer:
    return s.browser.submit(page_of(s.browser, s.mine, "/delete")) if stored(s) else visited_list(s)


def visited_list(s: State) -> Answer:
    return (
        Answer(303, {"location": "/applications"}, [], "")
        if "Mine" not in s.browser.get("/applications").body
        else s.browser.get("/applications")
    )


def is_deleted(world: World, s: State, answer: Answer) -> bool:
    return answer.status == 303 and stored(s) is None and not is_alive(s.tokens["access_token"])


# The command line


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


FLOWS = [
    Flow("applications: list", has_application, visits("/applications"), shows("Mine")),
    Flow("applications: form", nothing, visits("/applications/new?type=web"), shows("nonce")),
    Flow("applications: register", sees_blank_form, send_form, is_registered, refusals=CHANGED),
    Flow(
        "applications: register, with another transaction",
        sees_blank_form,
        meeting(TRANSACTION, send_form),
        is_refused(409),
        refusals=CHANGED,
        again=meeting(TRANSACTION, send_form),
    ),
    Flow("application: page", has_application, on_page(""), shows("Mine")),
    Flow("application: form", has_application, on_page("/edit"), shows("Mine")),
    Flow("application: change", sees("/edit"), change, is_changed, anew=change_anew, refusals=CHANGED),
    Flow("application: new secret", sees(""), rotate, has_two_secrets, anew=rotate_anew, refusals=CHANGED),
    Flow(
        "application: delete", sees("/delete"), delete, is_deleted, anew=delete_anew, refusals=(*CHANGED, 404)
    ),
    Flow(
        "manage client disable",
        has_tokens,
        command("client", "disable", "{client_id}"),
        succeeds(all_is_revoked),
        refusals=(1,),
    ),
    Flow(
        "manage client enable",
        is_disabled,
        command("client", "enable", "{client_id}"),
        succeeds(of_client("disabled_at", False)),
        refusals=(1,),
    ),
    Flow(
        "manage client unverify",
        nothing,
        command("client", "unverify", "{client_id}"),
        succeeds(of_client("verified_at", False)),
        refusals=(1,),
    ),
    Flow(
        "manage client import",
        has_other_owner,
        import_for_other_owner,
        succeeds(belongs_to_other),
        refusals=(1,),
    ),
    Flow(
        "manage user disable",
        has_tokens,
        command("user", "disable", EMAIL),
        succeeds(all_is_revoked),
        refusals=(1,),
    ),
    Flow(
        "manage user enable",
        is_disabled,
        command("user", "enable", EMAIL),
        succeeds(lambda *_: can_sign_in(EMAIL, "correct horse")),
        refusals=(1,),
    ),
    Flow(
        "manage user set-password",
        has_tokens,
        command("user", "set-password", EMAIL, "--password-stdin", typed=NEW_PASSWORD),
        succeeds(lambda w, s: can_sign_in(EMAIL, NEW_PASSWORD) and all_is_revoked(w, s)),
        refusals=(1,),
    ),
    Flow(
        "manage user promote",
        nothing,
        command("user", "promote", EMAIL),
        succeeds(is_operator(True)),
        refusals=(1,),
    ),
    Flow(
        "manage user unlink", is_linked, command("user", "unlink", EMAIL), succeeds(unlinked), refusals=(1,)
    ),
    Flow(
        "manage user add",
        nothing,
        command("user", "add", "new@example.org", "--password-stdin", typed=NEW_PASSWORD),
        succeeds(lambda *_: can_sign_in("new@example.org", NEW_PASSWORD)),
        again=lambda w, s: (
            Answer(0, {}, [], "")
            if command("user", "list")(w, s).body.count("new@example.org")
            else command("user", "add", "new@example.org", "--password-stdin", typed=NEW_PASSWORD)(w, s)
        ),
        refusals=(1,),
    ),
    Flow(
        "manage grant revoke",
        has_grant,
        command("grant", "revoke", "{grant_id}"),
        succeeds(all_is_revoked),
        refusals=(1,),
    ),
    Flow(
        "manage grant revoke --user",
        has_tokens,
        command("grant", "revoke", "--user", EMAIL),
        succeeds(all_is_revoked),
        refusals=(1,),
    ),
    Flow(
        "manage grant revoke --client",
        has_tokens,
        command("grant", "revoke", "--client", "{client_id}"),
        succeeds(all_is_revoked),
        refusals=(1,),
    ),
    Flow(
        "manage grant list --user",
        has_tokens,
        command("grant", "list", "--user", EMAIL),
        succeeds(lambda *_: True),
        refusals=(1,),
    ),
    Flow(
        "manage grant list --client",
        has_tokens,
        command("grant", "list", "--client", "{client_id}"),
        succeeds(lambda *_: True),
        refusals=(1,),
    ),
    Flow("manage audit", has_tokens, command("audit"), succeeds(lambda *_: True), refusals=(1,)),
]
