"""People: they sign in, allow, deny, connect devices, take back, and change their passwords."""

import queue
import time
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import requests

from tests.harness import CALLBACK, Form
from tests.soak.actors import Actor, World
from tests.soak.applications import Application
from tests.soak.devices import Device
from tests.soak.life import Fact, Threat
from tests.soak.model import Grant
from tests.soak.wire import LET_IN, RETRY_AFTER, Reply

STEPS = 12
"""Pages and repetitions between an application and its callback, before somebody gives up."""
ATTEMPTS = 6


@dataclass(frozen=True)
class Left:
    """Where somebody was sent, away from the stage."""

    location: str
    reply: Reply


class Person(Actor):
    """Somebody with an account and a browser."""

    pause = (0.1, 1.2)

    def __init__(self, name: str, world: World, email: str, password: str) -> None:
        super().__init__(name, world)
        self.email = email
        self.passwords = [password]
        """What the password is; the likelier first, if an answer was lost."""
        self.enabled = Fact(True)
        self.ended_at = 0.0
        """When the account was last known to be disabled: what was allowed before has ended."""
        self.applications: Sequence[Application] = ()
        self.devices: queue.Queue[Device] = queue.Queue()
        self._browser = requests.Session()
        self._failures = 0

    def act(self) -> None:
        try:
            self._decide_device(self.devices.get_nowait())
            return
        except queue.Empty:
            pass
        self.one_of(
            {
                self._connect: 20,
                self._deny: 1,
                self._disconnect: 2,
                self._change_password: 1,
                self._leave_browser: 2,
            }
        )()

    def _leave_browser(self) -> None:
        self._browser = requests.Session()

    def _connect(self) -> None:
        application = self.dice.choice(self.applications)
        client_id = application.client.client_id
        grant = self.ledger.add(Grant(client_id, self.email))
        verifier = urlsafe_b64encode(self.dice.randbytes(32)).rstrip(b"=").decode()
        left = self._authorize(client_id, verifier, "allow")
        code = _parameter(left, "code") if left else None
        if left is None or code is None:
            grant.life.kill("nobody was told of it")
            return
        grant.grant_id, grant.made_at = code[4:12], time.time()
        grant.note(f"{self.name} allowed it")
        if left.reply.began < self.ended_at:
            grant.life.kill("the account was disabled meanwhile")
        application.receive(grant, code, verifier, left.reply)

    def _deny(self) -> None:
        application = self.dice.choice(self.applications)
        left = self._authorize(application.client.client_id, "v" * 43, "deny", prompt="consent")
        if left and _parameter(left, "error") != "access_denied":
            self.ledger.violation("who said no was sent back with something else")

    def _authorize(self, client_id: str, verifier: str, decision: str, **more: str) -> Left | None:
        """Go where an application sends people, and return where they are sent back to."""
        challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "client_id": client_id,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "read write",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        url = f"{self.wire.url}/oauth2/authorize?{urlencode(asked | more)}"
        began = time.time()
        left = self._browse("authorize", url, decision, client_id if decision == "allow" else None)
        if left is None or left.reply.outcome == LET_IN:
            return left
        if left.reply.status == 400 and not self._is_enabled(client_id, began):
            return None
        self._unexpected("authorize", left.reply)
        return None

    def _browse(self, operation: str, url: str, decision: str, client_id: str | None = None) -> Left | None:
        """Go through pages until they lead away, or are none that one can fill in.

        Args:
            operation: what to count it as.
            url: where to begin.
            decision: what to say where one is asked.
            client_id: whom that may grant something, even if the answer gets lost.
        """
        reply = self._go(operation, "GET", url)
        for _ in range(STEPS):
            if reply.is_unknown:
                self.ledger.maybe_untold(client_id)
                self.wait(RETRY_AFTER / 2)
                reply = self._go(operation, "GET", url)
            elif reply.status == 303:
                location = reply.location
                if not location.startswith(f"{self.wire.url}/"):
                    return Left(location, reply)
                reply = self._go(operation, "GET", location)
            else:
                answer = self._fill_in(operation, reply, decision)
                if answer is reply:
                    return Left("", reply)
                if answer is None:
                    return None
                reply = answer
        return None

    def _fill_in(self, operation: str, page: Reply, decision: str) -> Reply | None:
        """Sign in, or decide; return the page itself if it asks for neither, and None to give up."""
        forms = Form.all_of(page.text) if page.status == 200 else []
        for form in forms:
            if "password" in form.fields:
                return self._sign_in(page, form)
        return self._submit(operation, page, decision=decision) if forms and decision else page

    def _sign_in(self, page: Reply, form: Form) -> Reply | None:
        """Fill in the form; return what came of it, or None if this did not sign in."""
        disabled_before = self.enabled.is_certainly(False, time.time())
        for password in list(self.passwords):
            reply = self._submit("sign in", page, form, email=self.email, password=password)
            if reply.is_unknown:
                self._failures += 1
                return reply
            if reply.status == 303:
                if disabled_before and self.enabled.is_certainly(False, reply.began):
                    self.ledger.violation("somebody signed in whose account is disabled")
                self.passwords, self._failures = [password], 0
                return reply
            if reply.status == 429 and self._failures:
                self.wait(5)
                return None
            if reply.status != 422:
                self._unexpected("sign in", reply)
                return None
            self._failures += 1
        if self.enabled.is_certainly(True, page.began):
            self.ledger.violation("the right password was refused")
        self.wait(2)
        return None

    def _decide_device(self, device: Device) -> None:
        """Type a device's code, and decide."""
        grant, decision = device.grant, self.dice.choice(("allow", "allow", "allow", "deny"))
        page = self._browse("device", f"{self.wire.url}/device", "")
        if page is None or page.reply.status != 200:
            return
        (form,) = Form.all_of(page.reply.text)
        page_of_consent = self._submit("device: code", page.reply, form, user_code=device.user_code)
        if page_of_consent.status != 200 or page_of_consent.is_unknown:
            return
        self.ledger.belongs(grant, self.email)
        device.decision = decision
        denying = Threat([grant.life], "somebody denies it") if decision == "deny" else None
        reply = self._submit("device: decide", page_of_consent, decision=decision)
        grant.note(f"{self.name}: {decision}: {reply} {reply.status}")
        if not reply.location.endswith("/device/done"):
            return
        device.decided_at = grant.made_at = time.time()
        if denying:
            denying.killed("somebody denied it")
        elif reply.began < self.ended_at:
            grant.life.kill("the account was disabled meanwhile")

    def _disconnect(self) -> None:
        """Take back what one application was granted."""
        client_id = self.dice.choice(self.applications).client.client_id
        mine = [grant for grant in self.world.grants_of_person(self.email) if grant.client_id == client_id]
        self._end("disconnect", [grant for grant in mine if grant.made_at], client_id)

    def _end(self, operation: str, grants: list[Grant], client_id: str) -> None:
        """Press the button of an application on the page of connections, until it is not there."""
        threat = Threat([grant.life for grant in grants], "its user disconnects the application")
        tried = False
        for _ in range(ATTEMPTS):
            form = self._button(operation, client_id)
            if form is None:
                break
            page, button = form
            if button is None:
                # Those that are over are not shown, and those that are not may not be left out.
                threat.killed("its user saw that it is not connected")
                return
            tried = True
            reply = self._submit(operation, page, button)
            if reply.status == 303 and reply.location.endswith("/connections"):
                for grant in grants:
                    grant.note(f"{self.name} disconnected the application")
                threat.killed()
                return
            if not self.wait(RETRY_AFTER):
                break
        if not tried:
            threat.passed()

    def _button(self, operation: str, client_id: str) -> tuple[Reply, Form | None] | None:
        """Return the page of connections and the form of an application, if it is there."""
        left = self._browse(operation, f"{self.wire.url}/connections", "")
        if left is None or left.reply.status != 200:
            return None
        forms = Form.all_of(left.reply.text)
        return left.reply, next((form for form in forms if form.fields.get("client_id") == client_id), None)

    def _change_password(self) -> None:
        """Change the password, and keep some of the applications."""
        page = self._browse("account", f"{self.wire.url}/account", "")
        if page is None or page.reply.status != 200:
            return
        form = next(
            form for form in Form.all_of(page.reply.text) if form.action.endswith("/account/password")
        )
        boxes = {box for box in _boxes(page.reply.text) if self.chance(0.5)}
        kept = {box.removeprefix("keep:") for box in boxes}
        mine = self.world.grants_of_person(self.email)
        ended = [grant for grant in mine if grant.client_id not in kept and grant.made_at]
        threat = Threat([grant.life for grant in ended], "its user changes the password")
        unsure = [grant.life for grant in mine if grant.client_id not in kept and not grant.made_at]
        Threat(unsure, "its user changes the password, and may have allowed it")
        new = urlsafe_b64encode(self.dice.randbytes(12)).decode()
        fields = {"current_password": self.passwords[0], "new_password": new}
        reply = self._submit("change password", page.reply, form, **fields, **dict.fromkeys(boxes, "keep"))
        if reply.status == 303 and reply.location.endswith("/account"):
            self.passwords = [new]
            threat.killed()
            for grant in ended:
                grant.note(f"{self.name} changed the password")
        elif reply.is_unknown or reply.location.endswith("/connections"):
            # What the page says then: look through the connections. The threat stays till that is done.
            self.passwords = [new, *self.passwords] if reply.is_unknown else [new]
            for client_id in {grant.client_id for grant in ended}:
                self._end("disconnect", [g for g in ended if g.client_id == client_id], client_id)
        elif reply.status == 422 and len(self.passwords) > 1:
            threat.passed()
            self.passwords = self.passwords[1:]  # Whether that one was set had never been known.
        else:
            threat.passed()
            conflict = reply.status in (409, 429) or "/sign-in" in reply.location
            if not conflict and self.enabled.is_certainly(True, page.reply.began):
                self._unexpected("change password", reply)

    def _go(self, operation: str, method: str, url: str, form: dict[str, str] | None = None) -> Reply:
        return self.wire.visit(self._browser, operation, method, url, form)

    def _submit(self, operation: str, page: Reply, form: Form | None = None, /, **fields: str) -> Reply:
        form = form or Form.of(page.text)
        assert page.response is not None
        return self._go(operation, "POST", urljoin(page.response.url, form.action), form.fields | fields)

    def _is_enabled(self, client_id: str, since: float) -> bool:
        (client,) = (a.client for a in self.applications if a.client.client_id == client_id)
        return client.enabled.is_certainly(True, since)

    def _unexpected(self, operation: str, reply: Reply) -> None:
        self.ledger.violation(f"{operation}: a person was answered {reply.status}")


def _parameter(left: Left, name: str) -> str | None:
    return next(iter(parse_qs(urlsplit(left.location).query).get(name, [])), None)


def _boxes(page: str) -> list[str]:
    """Return the names of the boxes of what may be kept."""
    return [part.partition('"')[0] for part in page.split('name="')[1:] if part.startswith("keep:")]
