"""`make run`: an embedded DynamoDB, the server, demo data and an example application, until Ctrl-C."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent
PYTHON = sys.executable


def read_port(variable: str, default: int) -> int:
    """Read a port from the environment."""
    text = os.environ.get(variable) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        sys.exit(f"{variable}: expected a port from 1 to 65535, not {text!r}")
    return int(text)


PORT = read_port("PORT", 8000)
DYNAMODB_PORT = read_port("DYNAMODB_PORT", 8001)
EXAMPLE_PORT = read_port("EXAMPLE_PORT", 8002)
OWN_ENGINE = os.environ.get("AWS_ENDPOINT_URL_DYNAMODB")
EMAIL, PASSWORD, EXAMPLE = "demo@example.org", "demo-password", "Example application"
SERVER, EXAMPLE_SERVER = f"http://127.0.0.1:{PORT}", f"http://127.0.0.1:{EXAMPLE_PORT}"
START_SECONDS = 60

processes: dict[str, "subprocess.Popen[bytes]"] = {}


def main() -> None:
    """Start everything, say what to open, and stop everything when one part or the user stops."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) != signal.SIG_IGN:  # As `nohup` has it.
            signal.signal(ending, lambda *_: sys.exit(0))
    ports = {"PORT": PORT, "EXAMPLE_PORT": EXAMPLE_PORT} | (
        {} if OWN_ENGINE else {"DYNAMODB_PORT": DYNAMODB_PORT}
    )
    if len(set(ports.values())) < len(ports):
        sys.exit(f"{', '.join(ports)} must differ.")
    for variable, port in ports.items():
        require_free(variable, port)
    try:
        start_all()
        print(WELCOME, flush=True)
        while True:
            require_running()
            time.sleep(0.5)
    except KeyboardInterrupt:
        print("\nStopped.")
    finally:
        stop_all()


def start_all() -> None:
    """Start the database, the data, the server and the example, each when the one before answers."""
    endpoint = OWN_ENGINE or f"http://127.0.0.1:{DYNAMODB_PORT}"
    os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = endpoint
    if not OWN_ENGINE:
        start(
            "DynamoDB",
            DYNAMODB_PORT,
            PYTHON,
            "-m",
            "moto.server",
            "-H",
            "127.0.0.1",
            "-p",
            str(DYNAMODB_PORT),
        )
    manage("tables", "create", "--if-missing")
    client = add_demo_data()
    start(
        "server",
        PORT,
        str(Path(PYTHON).with_name("chalice")),
        "local",
        "--stage",
        "local",
        "--port",
        str(PORT),
        "--no-autoreload",
    )
    start(
        "example application",
        EXAMPLE_PORT,
        PYTHON,
        "examples/third_party_app/app.py",
        CLIENT_ID=client["client_id"],
        CLIENT_SECRET=client["client_secret"],
        PLATFORM=SERVER,
        PORT=str(EXAMPLE_PORT),
        OAUTHLIB_INSECURE_TRANSPORT="1",
    )


def add_demo_data() -> dict[str, str]:
    """Add an account and an application, or, on an engine that kept them, a new secret."""
    if not any(user["email"] == EMAIL for user in json.loads(manage("user", "list", "--json"))):
        manage("user", "add", EMAIL, "--password-stdin", text=PASSWORD)
    redirect_uri = f"{EXAMPLE_SERVER}/callback"
    for client in json.loads(manage("client", "list", "--json")):
        if client["client_name"] == EXAMPLE and redirect_uri in client["redirect_uris"]:
            return dict(json.loads(manage("client", "rotate-secret", client["client_id"], "--json")))
    added = manage("client", "add", "--name", EXAMPLE, "--redirect-uri", redirect_uri, "--json")
    return dict(json.loads(added))


def manage(*arguments: str, text: str = "") -> str:
    """Run the operator's command line."""
    command = [PYTHON, "manage.py", "--stage", "local", *arguments]
    done = subprocess.run(  # nosec B603 # our own program
        command, check=False, cwd=ROOT, input=text, text=True, capture_output=True
    )
    if done.returncode:
        sys.exit(f"manage.py {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def start(name: str, port: int, *command: str, **environment: str) -> None:
    """Start a process and wait until its port answers."""
    log = open(ROOT / "build" / f"{name.replace(' ', '-')}.log", "wb")  # noqa: SIM115 (the process's)
    processes[name] = subprocess.Popen(  # nosec B603 # our own programs
        command,
        cwd=ROOT,
        env=os.environ | environment,
        stdout=log,
        stderr=log,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + START_SECONDS
    while not answers(port):
        require_running()
        if time.monotonic() > deadline:
            sys.exit(f"The {name} did not start within {START_SECONDS} s; see build/.")
        time.sleep(0.1)


def require_running() -> None:
    """Stop with the reason if a process has ended by itself."""
    for name, process in processes.items():
        if process.poll() is not None:
            log = (ROOT / "build" / f"{name.replace(' ', '-')}.log").read_text(errors="replace")
            sys.exit(f"The {name} stopped:\n{log[-2000:]}")


def require_free(variable: str, port: int) -> None:
    """Stop with a clear message if a port is taken."""
    if answers(port):
        sys.exit(f"Port {port} on 127.0.0.1 is in use. Choose another: make run {variable}={port + 100}")


def answers(port: int) -> bool:
    """Tell whether something listens on a local port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def stop_all() -> None:
    """End every process, the last one first."""
    for process in reversed(processes.values()):
        if process.poll() is None:
            process.terminate()
    for process in processes.values():
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()


MANAGE = "" if DYNAMODB_PORT == 8001 else f"AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:{DYNAMODB_PORT} "
WELCOME = f"""
  Open      {EXAMPLE_SERVER}     the example application; press Connect
  Sign in   {EMAIL} / {PASSWORD}

  Server    {SERVER}
  Mail      build/mail.txt     where codes arrive
  Manage    {MANAGE}.venv/bin/python manage.py --help
  Stop      Ctrl-C{"" if OWN_ENGINE else " (all data is gone then)"}
"""

if __name__ == "__main__":
    (ROOT / "build").mkdir(exist_ok=True)
    main()
