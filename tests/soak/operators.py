"""Operators, thieves, deployments, and processes that are killed."""

import json
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from tests.soak.actors import Actor, World
from tests.soak.applications import Application
from tests.soak.life import Threat
from tests.soak.model import Grant
from tests.soak.people import Person
from tests.soak.wire import LET_IN
from tests.stack.checkout import Checkout

COMMAND_ATTEMPTS = 8
DISABLED = (2.0, 6.0)
"""Seconds."""
OVERLAP = 5


class Operator(Actor):
    """Somebody with the command line, which meets the same faults as the functions, and is run again."""

    pause = (4.0, 12.0)

    def __init__(
        self, name: str, world: World, people: Sequence[Person], applications: Sequence[Application]
    ) -> None:
        super().__init__(name, world)
        self._people, self._applications = people, applications

    def act(self) -> None:
        self.one_of(
            {
                self._disable_client: 2,
                self._disable_account: 3,
                self._rotate_secret: 3,
                self._revoke_of_client: 1,
                self._revoke_of_user: 2,
                self._revoke_some: 3,
            }
        )()

    def _run(self, *arguments: str) -> bool:
        """Run a command until it says that it is done."""
        name = f"manage.py {arguments[0]} {arguments[1]}"
        for attempt in range(COMMAND_ATTEMPTS):
            done = self.world.server.run(*arguments)
            if done.returncode == 0:
                self.wire.count(name, "ok")
                return True
            self.wire.count(name, "failed, run again")
            if "Traceback" in done.stderr:
                self.ledger.violation(f"{name} broke down: {done.stderr[-600:]}")
            time.sleep(min(0.5 * 2**attempt, 3))
        self.ledger.violation(f"{name} did not work out in {COMMAND_ATTEMPTS} times: {done.stderr[-300:]}")
        return False

    def _disable_client(self) -> None:
        client = self.dice.choice(self._applications).client
        client.enabled.begin(False)
        with self.ledger.sweep("its client is disabled", client.client_id) as sweep:
            if self._run("client", "disable", client.client_id, "--json"):
                sweep.done()
        client.enabled.done()
        self.wait(self.dice.uniform(*DISABLED))
        client.enabled.begin(True)
        self._run("client", "enable", client.client_id, "--json")
        client.enabled.done()

    def _disable_account(self) -> None:
        person = self.dice.choice(self._people)
        person.enabled.begin(False)
        with self.ledger.sweep("its user is disabled", person=person.email) as sweep:
            if self._run("user", "disable", person.email, "--json"):
                person.ended_at = time.time()
                sweep.done()
        person.enabled.done()
        self.wait(self.dice.uniform(*DISABLED))
        person.enabled.begin(True)
        self._run("user", "enable", person.email, "--json")
        person.enabled.done()

    def _rotate_secret(self) -> None:
        client = self.dice.choice([one.client for one in self._applications if one.client.secret])
        client.secret_holds.begin(True)
        for _ in range(COMMAND_ATTEMPTS):
            done = self.world.server.run(
                "client", "rotate-secret", client.client_id, "--overlap", str(OVERLAP), "--json"
            )
            self.wire.count(
                "manage.py client rotate-secret", "ok" if done.returncode == 0 else "failed, run again"
            )
            if done.returncode == 0:
                client.secret = json.loads(done.stdout)["client_secret"]
                break
        client.secret_holds.done()

    def _revoke_of_client(self) -> None:
        client_id = self.dice.choice(self._applications).client.client_id
        with self.ledger.sweep("an operator revokes all of its client", client_id) as sweep:
            if self._run("grant", "revoke", "--client", client_id, "--yes", "--json"):
                sweep.done()

    def _revoke_of_user(self) -> None:
        email = self.dice.choice(self._people).email
        with self.ledger.sweep("an operator revokes all of its user", person=email) as sweep:
            if self._run("grant", "revoke", "--user", email, "--yes", "--json"):
                sweep.done()

    def _revoke_some(self) -> None:
        alive = [
            grant for grant in list(self.ledger.grants)[-100:] if grant.access_tokens and not grant.is_over
        ]
        grants = self.dice.sample(alive, min(len(alive), 3))
        if not grants:
            return
        threat = Threat([grant.life for grant in grants], "an operator revokes it")
        if self._run("grant", "revoke", *(grant.grant_id for grant in grants), "--yes", "--json"):
            for grant in grants:
                grant.note("an operator revoked it")
            threat.killed()


class Thief(Application):
    """Somebody who has an application's secret, and refresh tokens that were traded long ago."""

    pause = (1.0, 5.0)

    def act(self) -> None:
        self.one_of({self._use_an_old_one: 3, self._guess: 1, self._use_as_another_client: 2})()

    def _victims(self, tokens: int) -> list[Grant]:
        mine = self.world.grants_of_client(self.client.client_id)
        return [grant for grant in mine if len(grant.refresh_tokens) >= tokens and not grant.is_over]

    def _use_an_old_one(self) -> None:
        victims = self._victims(3)
        if not victims:
            return
        grant = self.dice.choice(victims)
        stolen = self.dice.choice(grant.refresh_tokens[:-2])
        threat = Threat([grant.life], "a stolen refresh token was used")
        form = {"grant_type": "refresh_token", "refresh_token": stolen.value}
        asked = self.insist("theft", grant, form)
        if asked.granted:
            self.ledger.violation("a stolen refresh token paid", grant)
        if asked.reply.error == "invalid_grant":
            threat.killed("a stolen refresh token was used")
        elif not self.is_about_the_client(asked, grant) and not asked.reply.is_unknown:
            self.ledger.violation(f"theft: {asked.reply}", grant)

    def _guess(self) -> None:
        victims = self._victims(1)
        if victims:
            self.guess(self.dice.choice(victims))

    def _use_as_another_client(self) -> None:
        """Present what another application was given: that changes nothing."""
        others = [
            grant
            for grant in list(self.ledger.grants)[-200:]
            if grant.refresh_tokens and not grant.is_over and grant.client_id != self.client.client_id
        ]
        if not others:
            return
        grant = self.dice.choice(others)
        token = grant.refresh_tokens[-1].value
        form = {"grant_type": "refresh_token", "refresh_token": token}
        self.expect_refusal("another client's refresh token", grant, self._send("another client's", form))
        form = {"token": token} | self.credentials()
        reply = self.wire.post("another client's", "/oauth2/revoke", form)
        if reply.outcome == LET_IN and not grant.life.threatened_since(grant.life.begun - 1):
            self.ledger.violation("a client revoked what another one was granted", grant)


class Deployer(Actor):
    """Deploys the code and a setting anew, while all that goes on."""

    def __init__(self, world: World, project: Checkout, stage: str, pause: tuple[float, float]) -> None:
        super().__init__("deployer", world)
        self.pause = pause
        self._project, self._stage, self._number = project, stage, 0

    def act(self) -> None:
        self._number += 1
        code = self._project.folder / "chalicelib" / "__init__.py"
        code.write_text(f"{code.read_text().rstrip()}\n# {self._number}\n", encoding="utf-8")
        name = f"Community Maps {self._number}"
        self._project.configure(self._stage, environment_variables={"OAUTH_PLATFORM_NAME": name})
        self._project.make("deploy", f"STAGE={self._stage}")
        self.wire.count("make deploy", "ok")


class Killer(Actor):
    """Kills functions' processes in the middle of what they do."""

    pause = (15.0, 40.0)

    def __init__(self, world: World) -> None:
        super().__init__("killer", world)
        self.killed = 0

    def act(self) -> None:
        workers = list(self._workers())
        for pid in self.dice.sample(workers, min(len(workers), self.dice.choice((1, 1, 2)))):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            self.killed += 1

    @staticmethod
    def _workers() -> Iterator[int]:
        """Yield the functions' processes: children of MiniStack, which is a child of this process."""
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                is_worker = b"_worker.py" in (process / "cmdline").read_bytes()
                if is_worker and _parent(_parent(int(process.name))) == os.getpid():
                    yield int(process.name)


def _parent(pid: int) -> int:
    """Return whose child a process is (proc_pid_stat(5); what is in brackets may be anything)."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    return int(stat.rpartition(")")[2].split()[1])
