"""A CloudFormation stack: what would change, changing it while telling how far it is, and its end."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from botocore.exceptions import ClientError, WaiterError

EVERY = 2
"""Seconds between two looks at what goes on."""

CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")

_BROKEN = (
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "CREATE_FAILED",
    "DELETE_FAILED",
    "UPDATE_ROLLBACK_FAILED",
    "IMPORT_ROLLBACK_COMPLETE",
    "IMPORT_ROLLBACK_FAILED",
)
_NOTHING_CHANGES = ("didn't contain changes", "No updates are to be performed")

Say = Callable[[str], None]


class StackError(Exception):
    """The stack is not, or does not become, what was asked for; the message says why."""


@dataclass(frozen=True)
class Change:
    """One thing that a change set does."""

    action: str
    """`Add`, `Modify`, `Remove`, `Import` or `Dynamic`."""
    logical_id: str
    kind: str
    """As `AWS::Lambda::Function`."""
    replaces: bool
    """Whether a new one takes the place of the old one, without what is in it."""

    @property
    def loses(self) -> bool:
        """Whether what was there is there no more, or is in the stack no more."""
        return self.replaces or self.action == "Remove"


def _line(event: Mapping[str, Any], seconds: float) -> str:
    return f"{seconds:5.0f} s  {event['ResourceStatus']:<24} {event['LogicalResourceId']}"


def _failure(event: Mapping[str, Any]) -> list[str]:
    """Return why something failed; not of what was stopped because something else did."""
    reason = event.get("ResourceStatusReason", "")
    failed = event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason
    return [f"{event['LogicalResourceId']}: {reason}"] if failed else []


class Stack:
    """A stack in one account and region.

    Args:
        client: boto3's for CloudFormation.
        name: of the stack.
        say: is told what goes on.
    """

    def __init__(self, client: Any, name: str, say: Say) -> None:
        self._client = client
        self._name = name
        self._say = say

    @property
    def status(self) -> str | None:
        """`CREATE_COMPLETE` and so on, or None if there is no such stack."""
        described = self._describe()
        return None if described is None else str(described["StackStatus"])

    def outputs(self) -> dict[str, str]:
        """Return the outputs by their keys."""
        described = self._describe() or {}
        return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", ())}

    def plan(
        self,
        template_url: str,
        tags: Mapping[str, str],
        imported: Sequence[Mapping[str, Any]] = (),
        parameters: Mapping[str, str] = MappingProxyType({}),
    ) -> "Plan | None":
        """Make a change set, and return it; None if nothing would change.

        Args:
            template_url: where in S3 the template is.
            tags: for everything in the stack that has tags.
            imported: `ResourcesToImport` of the change set, if it is to take over what is there.
            parameters: of the template.

        Raises:
            StackError: the stack is in a state in which it cannot be changed, or the template is refused.
        """
        status = self.status
        if status in _BROKEN:
            raise StackError(
                f"the stack {self._name} is {status}: look at its events, delete it, and try again"
            )
        if status and status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
            raise StackError(f"somebody else is at the stack {self._name} ({status}); try again later")
        kind = "CREATE" if status in (None, "REVIEW_IN_PROGRESS") else "UPDATE"
        options: dict[str, Any] = {"ResourcesToImport": list(imported)} if imported else {}
        made = self._client.create_change_set(
            StackName=self._name,
            ChangeSetName=f"deploy-{datetime.now(UTC):%Y%m%d-%H%M%S}",
            ChangeSetType="IMPORT" if imported else kind,
            TemplateURL=template_url,
            Capabilities=list(CAPABILITIES),
            Tags=[{"Key": name, "Value": value} for name, value in tags.items()],
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
            ],
            **options,
        )
        plan = Plan(self._client, self, made["Id"], first=status in (None, "REVIEW_IN_PROGRESS"))
        reason = plan.wait()
        if reason is None:
            return plan
        plan.discard()
        if any(text in reason for text in _NOTHING_CHANGES):
            return None
        raise StackError(f"CloudFormation refuses the template: {reason}")

    def protect(self, *, protected: bool) -> None:
        """Say whether the stack may be deleted."""
        self._client.update_termination_protection(
            StackName=self._name, EnableTerminationProtection=protected
        )

    def delete(self) -> None:
        """Delete the stack, with all of it that is not to be retained.

        Raises:
            StackError: something would not go.
        """
        described = self._describe()
        if described is None:
            return
        # A deleted stack is found by its id alone.
        stack_id, before = described["StackId"], self.last_event()
        self._client.delete_stack(StackName=self._name)
        self.follow("DELETE", before, stack_id)

    def last_event(self) -> str | None:
        """Return the id of the newest event."""
        return next((event["EventId"] for event in self._events(self._name)), None)

    def follow(self, operation: str, after: str | None, stack_id: str | None = None) -> None:
        """Tell what happens until the operation is over.

        Args:
            operation: `CREATE`, `UPDATE`, `IMPORT` or `DELETE`.
            after: the id of the last event before it.
            stack_id: of the stack, if it goes.

        Raises:
            StackError: it failed. The message has the reasons.
        """
        name, last, failures = stack_id or self._name, after, list[str]()
        started, status = time.monotonic(), ""
        while not status:
            time.sleep(EVERY)
            gone = self._describe(name) is None
            for event in self._new_events(name, last):
                last = event["EventId"]
                if event["ResourceStatus"].endswith("_IN_PROGRESS"):
                    continue
                self._say(_line(event, time.monotonic() - started))
                failures.extend(_failure(event))
                if event["ResourceType"] == "AWS::CloudFormation::Stack":
                    status = event["ResourceStatus"]
            status = status or ("DELETE_COMPLETE" if gone else "")
        if status != f"{operation}_COMPLETE":
            raise StackError("\n".join([f"the stack {self._name} ended as {status}", *failures]))

    def _describe(self, name: str | None = None) -> dict[str, Any] | None:
        try:
            stacks = self._client.describe_stacks(StackName=name or self._name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        described: dict[str, Any] = stacks[0]
        return None if described["StackStatus"] == "DELETE_COMPLETE" else described

    def _events(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the events, newest first."""
        try:
            for page in self._client.get_paginator("describe_stack_events").paginate(StackName=name):
                yield from page["StackEvents"]
        except ClientError as error:
            if "does not exist" not in str(error):
                raise

    def _new_events(self, name: str, after: str | None) -> list[dict[str, Any]]:
        found = []
        for event in self._events(name):
            if event["EventId"] == after:
                break
            found.append(event)
        return found[::-1]


class Plan:
    """A change set: what would change."""

    def __init__(self, client: Any, stack: Stack, change_set: str, *, first: bool) -> None:
        self._client = client
        self._stack = stack
        self._change_set = change_set
        self._first = first

    def wait(self) -> str | None:
        """Wait until it is made. Return None, or why it cannot be."""
        waiter = self._client.get_waiter("change_set_create_complete")
        try:
            waiter.wait(ChangeSetName=self._change_set, WaiterConfig={"Delay": 1, "MaxAttempts": 300})
        except WaiterError:
            described = self._client.describe_change_set(ChangeSetName=self._change_set)
            return str(described.get("StatusReason", "it was not made in time"))
        return None

    def changes(self) -> list[Change]:
        """Return what would change."""
        pages = self._client.get_paginator("describe_change_set").paginate(ChangeSetName=self._change_set)
        return [
            Change(
                action=change["Action"],
                logical_id=change["LogicalResourceId"],
                kind=change["ResourceType"],
                replaces=change.get("Replacement") == "True",
            )
            for page in pages
            for change in (entry["ResourceChange"] for entry in page["Changes"])
        ]

    def execute(self, operation: str = "") -> None:
        """Do it, and tell how far it is.

        Raises:
            StackError: it failed; everything is as it was before.
        """
        before = self._stack.last_event()
        self._client.execute_change_set(ChangeSetName=self._change_set)
        self._stack.follow(operation or ("CREATE" if self._first else "UPDATE"), before)

    def discard(self) -> None:
        """Take it back. A stack that has never been more than a plan goes with it."""
        self._client.delete_change_set(ChangeSetName=self._change_set)
        if self._first and self._stack.status == "REVIEW_IN_PROGRESS":
            self._stack.delete()
