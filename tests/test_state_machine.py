"""Everything in any order, against a model that knows which tokens must be alive."""

from dataclasses import dataclass, field
from unittest import mock

import moto
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chalicelib import clock
from chalicelib.accounts import accounts
from chalicelib.models.table import dynamodb
from chalicelib.oauth import clients, registration, revocation
from chalicelib.oauth.tokens import MAX_ACCESS_TOKENS
from management.infrastructure import tables
from tests.harness import PASSWORD, Answer, App, Browser, Deployment, is_alive

EMAILS = ("ann@example.org", "bob@example.org")
CODE_LIFETIME, TOKEN_LIFETIME, RETRY_WINDOW = 60 + clock.SKEW, 2592000, 60 + clock.SKEW
IDLE_LIFETIME, SESSION_LIFETIME = 90 * 86400, 2 * 3600
"""Of refresh tokens; and of sessions that nobody uses (`session_idle_lifetime`). Seconds."""


APP = st.sampled_from([0, 0, 0, 1])
RECENT = st.integers(-3, -1)
"""Which grant, from the end: what happens to one and the same is what is interesting."""


@dataclass
class ModelGrant:
    """What must be true of one authorization."""

    app: App
    email: str
    code: str
    issued_at: int
    redeemed: bool = False
    revoked: bool = False
    access_tokens: dict[str, int] = field(default_factory=dict)
    """Those that may be alive, and when they expire."""
    refresh_tokens: list[str] = field(default_factory=list)
    """All that were issued, the current one last."""
    last_answer: Answer | None = None
    rotated_at: int | None = None
    refreshable_until: int = 0

    def received(self, answer: Answer, now: int) -> None:
        """Note the tokens in an answer."""
        valid = {token: end for token, end in self.access_tokens.items() if end > now}
        valid[answer.json["access_token"]] = now + TOKEN_LIFETIME
        self.access_tokens = dict(list(valid.items())[-MAX_ACCESS_TOKENS:])
        if "refresh_token" in answer.json:
            self.refresh_tokens.append(answer.json["refresh_token"])
            self.refreshable_until = now + IDLE_LIFETIME
        self.last_answer = answer


class Server(RuleBasedStateMachine):
    """The server, and what its users, clients and operators may do to it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 2_000_000_000
        self.patches = [moto.mock_aws(), mock.patch.object(clock, "now", self.tell_time)]
        for patch in self.patches:
            patch.start()  # type: ignore[attr-defined]
        for model in tables.TABLES.values():
            dynamodb.client.create_table(**tables.table_definition(model))
        clients.forget()
        self.deployment = Deployment()
        self.grants: list[ModelGrant] = []
        self.ever: set[str] = set()

    @initialize()
    def set_up(self) -> None:
        grant_types = ("authorization_code", "refresh_token")
        self.apps = [
            self.deployment.add_app(name="Refreshing", grant_types=grant_types),
            self.deployment.add_app(name="Plain"),
        ]
        self.browsers: dict[str, tuple[Browser, int]] = {}
        for email in EMAILS:
            self.deployment.add_account(email)

    def tell_time(self) -> int:
        return self.now

    def teardown(self) -> None:
        for patch in reversed(self.patches):
            patch.stop()  # type: ignore[attr-defined]

    def browser(self, email: str) -> Browser:
        """Return a browser in which somebody is signed in, as long as their session lasts."""
        browser, until = self.browsers.get(email, (None, 0))
        if browser is None or until <= self.now:
            browser = Browser()
            page = browser.get(self.apps[0].authorization_url())
            assert browser.submit(page, email=email, password=PASSWORD).status == 303
            self.browsers[email] = browser, self.now + SESSION_LIFETIME
        return browser

    def many_are_alive(self) -> bool:
        """Ending everything is interesting when there is something to end."""
        return sum(not grant.revoked for grant in self.grants) > 3

    def pick(self, index: int, having: str = "code") -> ModelGrant:
        """Return a grant that has something; those that live come last, where the index looks."""
        having_it = [grant for grant in self.grants if getattr(grant, having)]
        return sorted(having_it, key=lambda grant: not grant.revoked)[index % len(having_it)]

    @rule(email=st.sampled_from(EMAILS), app=APP)
    def authorize(self, email: str, app: int) -> None:
        code = self.deployment.code(self.apps[app], self.browser(email), prompt="consent")
        self.grants.append(ModelGrant(self.apps[app], email, code, self.now))

    @rule(email=st.sampled_from(EMAILS), app=APP)
    def connect(self, email: str, app: int) -> None:
        self.authorize(email, app)
        self.exchange(-1)

    @precondition(lambda self: self.grants)
    @rule(index=RECENT)
    def exchange(self, index: int) -> None:
        grant = self.pick(index)
        answer = grant.app.exchange(grant.code)
        fresh = self.now < grant.issued_at + CODE_LIFETIME
        if grant.revoked or grant.redeemed or not fresh:
            assert answer.json["error"] == "invalid_grant"
            grant.revoked = grant.revoked or grant.redeemed
            return
        assert answer.status == 200, answer
        grant.redeemed = True
        grant.received(answer, self.now)

    @precondition(lambda self: self.grants)
    @rule(index=RECENT, how=st.sampled_from(["client", "redirect_uri", "guess"]))
    def exchange_wrongly(self, index: int, how: str) -> None:
        grant = self.pick(index)
        other = next(app for app in self.apps if app is not grant.app)
        answer = {
            "client": lambda: other.exchange(grant.code),
            "redirect_uri": lambda: grant.app.exchange(grant.code, redirect_uri="https://evil.example/"),
            "guess": lambda: grant.app.exchange(mutated(grant.code)),
        }[how]()
        assert answer.json["error"] == "invalid_grant"

    @precondition(lambda self: any(grant.refresh_tokens for grant in self.grants))
    @rule(index=RECENT, age=st.sampled_from([0, 0, 0, 1, 1, 2]))
    def refresh(self, index: int, age: int) -> None:
        grant = self.pick(index, "refresh_tokens")
        token = grant.refresh_tokens[-1 - min(age, len(grant.refresh_tokens) - 1)]
        answer = grant.app.refresh(token)
        if grant.revoked:
            assert answer.json["error"] == "invalid_grant"
        elif token == grant.refresh_tokens[-1]:
            if self.now < grant.refreshable_until:
                assert answer.status == 200, answer
                grant.rotated_at = self.now
                grant.received(answer, self.now)
            else:
                assert answer.json["error"] == "invalid_grant"
        elif self.may_retry(grant, token):
            self.check_retry(grant, answer)
        else:
            assert answer.json["error"] == "invalid_grant"
            grant.revoked = True

    @precondition(lambda self: any(grant.refresh_tokens for grant in self.grants))
    @rule(
        index=RECENT,
        seconds=st.sampled_from([0, 30, RETRY_WINDOW - 1, RETRY_WINDOW]),
        age=st.sampled_from([0, 1, 2]),
    )
    def refresh_and_come_back(self, index: int, seconds: int, age: int) -> None:
        self.refresh(index, 0)
        self.now += seconds
        self.refresh(index, age)

    def may_retry(self, grant: ModelGrant, token: str) -> bool:
        recent = grant.rotated_at is not None and self.now - grant.rotated_at < RETRY_WINDOW
        return recent and token == grant.refresh_tokens[-2]

    def check_retry(self, grant: ModelGrant, answer: Answer) -> None:
        """A retry gets the same pair, unless its access token was revoked meanwhile."""
        assert grant.last_answer
        if grant.last_answer.json["access_token"] not in grant.access_tokens:
            assert answer.json["error"] == "invalid_grant"
            return
        assert answer.json["access_token"] == grant.last_answer.json["access_token"]
        assert answer.json["refresh_token"] == grant.refresh_tokens[-1]

    @precondition(lambda self: any(grant.refresh_tokens for grant in self.grants))
    @rule(index=RECENT)
    def refresh_with_a_guess(self, index: int) -> None:
        grant = self.pick(index, "refresh_tokens")
        assert grant.app.refresh(mutated(grant.refresh_tokens[-1])).json["error"] == "invalid_grant"

    @precondition(lambda self: any(grant.access_tokens for grant in self.grants))
    @rule(index=RECENT)
    def revoke_access_token(self, index: int) -> None:
        grant = self.pick(index, "access_tokens")
        token = next(iter(grant.access_tokens))
        assert grant.app.post("/oauth2/revoke", token=token).status == 200
        del grant.access_tokens[token]

    @precondition(lambda self: any(grant.refresh_tokens for grant in self.grants))
    @rule(index=RECENT, age=st.sampled_from([0, 0, 0, 1, 1, 2]))
    def revoke_refresh_token(self, index: int, age: int) -> None:
        grant = self.pick(index, "refresh_tokens")
        token = grant.refresh_tokens[-1 - min(age, len(grant.refresh_tokens) - 1)]
        assert grant.app.post("/oauth2/revoke", token=token).status == 200
        grant.revoked = True

    @precondition(lambda self: self.many_are_alive())
    @rule(email=st.sampled_from(EMAILS))
    def disable_the_account_and_enable_it_again(self, email: str) -> None:
        account = accounts.find_by_email(email)
        assert account
        accounts.disable(account)
        accounts.enable(account)
        self.browsers.pop(email, None)
        for grant in self.grants:
            grant.revoked = grant.revoked or grant.email == email

    @precondition(lambda self: self.many_are_alive())
    @rule(index=APP)
    def disable_the_client_and_enable_it_again(self, index: int) -> None:
        app = self.apps[index]
        client = self.deployment.client(app)
        registration.disable(client)
        list(revocation.revoke_grants_of_client(client, "test"))
        registration.enable(client)
        clients.forget()
        for grant in self.grants:
            grant.revoked = grant.revoked or grant.app is app

    @rule(seconds=st.sampled_from([1, 30, CODE_LIFETIME + 1, 3600, TOKEN_LIFETIME, IDLE_LIFETIME]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def exactly_the_right_tokens_are_alive(self) -> None:
        alive = {
            token
            for grant in self.grants
            if not grant.revoked
            for token, end in grant.access_tokens.items()
            if end > self.now
        }
        self.ever |= {token for grant in self.grants for token in grant.access_tokens}
        assert {token for token in self.ever if is_alive(token)} == alive


def mutated(credential: str) -> str:
    """Return a credential that was never issued."""
    return credential[:-1] + ("A" if credential[-1] != "A" else "B")


TestServer = Server.TestCase
TestServer.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
