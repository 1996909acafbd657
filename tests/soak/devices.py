"""Devices: they show a code, poll until somebody has decided, and go on as applications do."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.harness import DEVICE_CODE
from tests.soak.actors import RETRY_WINDOW, Client, World
from tests.soak.applications import SLOW, Application
from tests.soak.asking import Asked
from tests.soak.life import Threat
from tests.soak.model import MARGIN, Grant, Trade
from tests.soak.wire import LET_IN, REFUSED

DEVICE_CODE_LIFETIME = 60
INTERVAL = 5
PENDING = ("authorization_pending", "slow_down")


@dataclass(eq=False)
class Device:
    """A device that waits."""

    grant: Grant
    device_code: str = field(repr=False)
    user_code: str = field(repr=False)
    ends: tuple[float, float]
    """The earliest and the latest moment at which it can be over."""
    decision: str = ""
    """`allow` or `deny`, from before somebody decides so."""
    decided_at: float | None = None
    """When they knew that it had worked."""
    next_poll: float = 0.0
    tried_at: float | None = None
    """When it was first polled after somebody had allowed it."""


class DeviceApplication(Application):
    """An application for devices."""

    def __init__(self, name: str, world: World, client: Client, show: Callable[[Device], None]) -> None:
        """Make it.

        Args:
            name: of the thread.
            world: around it.
            client: what it is.
            show: shows a code to somebody.
        """
        super().__init__(name, world, client)
        self._show = show
        self._waiting: list[Device] = []

    def act(self) -> None:
        now = time.time()
        for device in list(self._waiting):
            if now >= device.next_poll:
                self._poll(device)
                return
        if len(self._waiting) < 3 and self.chance(0.3):
            self._start()
            return
        super().act()

    def _start(self) -> None:
        grant = self.ledger.add(Grant(self.client.client_id))
        reply = self.wire.post(
            "device: start", "/oauth2/device_authorization", {"scope": "read write"} | self.credentials()
        )
        if reply.outcome != LET_IN:
            grant.life.kill("no device was told of it")
            if reply.is_unknown:
                self.ledger.maybe_untold(self.client.client_id)
            if not reply.is_unknown and not self.is_about_the_client(Asked([reply], False, None, None)):
                self.ledger.violation(f"device: start: {reply}")
            return
        ends = (reply.began - 1 + DEVICE_CODE_LIFETIME, time.time() + DEVICE_CODE_LIFETIME)
        device = Device(grant, reply.members["device_code"], reply.members["user_code"], ends)
        device.next_poll = time.time() + INTERVAL
        grant.grant_id = device.device_code[4:12]
        grant.note("device: start: ok")
        self._waiting.append(device)
        self._show(device)

    def _poll(self, device: Device) -> None:
        grant, decided = device.grant, device.decided_at is not None
        if device.decision == "allow":
            device.tried_at = device.tried_at or time.time()
        form = {"grant_type": DEVICE_CODE, "device_code": device.device_code}
        deadly_from = (device.tried_at or float("inf")) + RETRY_WINDOW - SLOW
        with grant.turn:
            unclear = device.tried_at is not None and grant.issued > 0
            grant.issued += device.tried_at is not None and not unclear
            asked = self.insist("device: poll", grant, form, unclear=unclear, deadly_from=deadly_from)
            device.next_poll = time.time() + INTERVAL
            if asked.granted:
                self._connected(device, asked, form)
            elif asked.reply.outcome == REFUSED and not self.is_about_the_client(asked, grant):
                self._got_none(device, asked, decided)

    def _connected(self, device: Device, asked: Asked, form: dict[str, str]) -> None:
        grant, began = device.grant, device.tried_at
        if device.decision != "allow":
            self.ledger.violation("a device got tokens that nobody had allowed it", grant)
        began = began or asked.reply.began
        pair = self.accept(asked, grant, began)
        grant.last_trade = Trade(form, pair, began, time.time())
        self.grants.append(grant)
        self._waiting.remove(device)

    def _got_none(self, device: Device, asked: Asked, decided: bool) -> None:
        """Judge an answer that has no tokens.

        Args:
            device: whose.
            asked: the answer.
            decided: whether somebody was known to have decided before it asked.
        """
        error, grant = asked.reply.error, device.grant
        if error in PENDING:
            if decided and not asked.excuse:
                self.ledger.violation(f"a device was told {error}, though somebody had decided", grant)
            return
        now = time.time()
        late = asked.unclear and device.tried_at is not None and now > device.tried_at + RETRY_WINDOW - MARGIN
        excused = {
            "expired_token": now > device.ends[0] - MARGIN,
            "access_denied": device.decision == "deny" or asked.excuse,
            "invalid_grant": asked.excuse or late,
        }
        if not excused.get(error):
            self.ledger.violation(f"a device was told {error}", grant)
        if error == "expired_token" and device.decision == "allow" and decided:
            Threat([grant.life], "its code expired, though it was allowed")
        else:
            grant.life.kill(f"the device was told {error}")
        self._waiting.remove(device)
