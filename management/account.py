"""The AWS account that is deployed to, and the bucket there that code is uploaded to."""

import hashlib
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from management.output import say
from management.stack import Stack, StackError


class Account:
    """The account and region that the credentials are for.

    Raises:
        StackError: there are none.
    """

    def __init__(self) -> None:
        self._session = boto3.Session()
        if self._session.region_name is None:
            raise StackError("no region: set AWS_REGION, or a region in your AWS profile")
        self.region: str = self._session.region_name
        self.id = str(self.client("sts").get_caller_identity()["Account"])

    def client(self, service: str) -> Any:
        """Return a client for a service."""
        # Else S3 is named without its region, which not all regions understand.
        config = Config(signature_version="s3v4") if service == "s3" else None
        return self._session.client(service, config=config)

    def stack(self, name: str) -> Stack:
        """Return a stack, whether it is there or not."""
        return Stack(self.client("cloudformation"), name, say)

    def store(self, bucket: str) -> "Store":
        """Return the bucket for code, and make it if there is none."""
        return Store(self.client("s3"), bucket, self)


class Store:
    """The bucket that CloudFormation takes code and templates from.

    A bucket's name is nobody's: who knows what ours will be called could have it before us. So each
    request names the account that has to own it.
    """

    def __init__(self, client: Any, bucket: str, account: Account) -> None:
        self._client = client
        self._account = account
        self._owned = {"Bucket": bucket, "ExpectedBucketOwner": account.id}
        self.bucket = bucket
        try:
            self._client.head_bucket(**self._owned)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
                raise StackError(f"the bucket {bucket} cannot be used: {error}") from None
            self._make()

    def _make(self) -> None:
        say(f"Making the bucket {self.bucket}")
        where = {"CreateBucketConfiguration": {"LocationConstraint": self._account.region}}
        self._client.create_bucket(
            Bucket=self.bucket, **({} if self._account.region == "us-east-1" else where)
        )
        blocked = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        self._client.put_public_access_block(
            **self._owned, PublicAccessBlockConfiguration=dict.fromkeys(blocked, True)
        )

    def put(self, content: bytes, name: str) -> str:
        """Store something under its hash, unless it is there, and return its key."""
        stem, dot, suffix = name.rpartition(".")
        key = f"{stem}-{hashlib.sha256(content).hexdigest()[:32]}{dot}{suffix}"
        try:
            self._client.head_object(**self._owned, Key=key)
        except ClientError:
            say(f"Uploading {name}, {len(content) / 1e6:.2f} MB")
            self._client.put_object(**self._owned, Key=key, Body=content)
        return key

    def url(self, key: str) -> str:
        """Return how CloudFormation names an object."""
        return str(
            self._client.generate_presigned_url("get_object", {"Bucket": self.bucket, "Key": key}, 1)
        ).partition("?")[0]
