"""A bucket for each dataset at each site, with the settings that its obligations demand.

Every call can be repeated: what is there already is brought to what is demanded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from models import AccessRights, DatasetChange, HostedAt
from placement.client.hooking.duties import (
    ACCESS_LOG,
    AT_REST,
    BACK_UP,
    CITY_KEYS,
    IN_TRANSIT,
    Outcome,
    days_demanded,
    demands,
    judged,
)
from placement.client.hooking.folders import place_name
from placement.errors import BadInput, Defect

_LOG_BUCKET = "placement-access-log"
_PUBLIC_ACCESS = (
    "BlockPublicAcls",
    "IgnorePublicAcls",
    "BlockPublicPolicy",
    "RestrictPublicBuckets",
)
_REGION = "us-east-1"


def s3_client(url: str) -> Any:
    """A client of an S3 service; its credentials come as boto3 finds them.

    Raises
    ------
    BadInput
        When boto3 is not installed.
    """
    try:
        import boto3  # type: ignore[import-untyped]
        from botocore.config import Config  # type: ignore[import-untyped]
    except ImportError as error:
        message = "boto3 is needed for this and is not installed: pip install boto3"
        raise BadInput([Defect("", "--s3-url", "", message)]) from error
    patience = Config(
        connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 2}
    )
    return boto3.client("s3", endpoint_url=url, region_name=_REGION, config=patience)


class Buckets:
    """Buckets of one S3 service.

    Parameters
    ----------
    client
        As `s3_client` makes it.
    attested
        Obligations that people see to, and where that stands.
    city_key
        A key of the city's, by its id in the service's key management; none: there is none.
    """

    def __init__(
        self, client: Any, attested: Mapping[str, str], city_key: str | None = None
    ) -> None:
        self._s3 = client
        self._attested = attested
        self._city_key = city_key

    def make(self, change: DatasetChange, hosted: HostedAt) -> Outcome:
        """The bucket with what is demanded of it."""
        bucket = place_name(hosted.site, change.dataset)
        self._create(bucket)
        settings = {
            IN_TRANSIT: self._encrypt_in_transit(bucket),
            AT_REST: self._encrypt_at_rest(bucket),
        }
        if self._city_key is not None and demands(hosted, CITY_KEYS):
            settings[CITY_KEYS] = f"encrypted with the city's key {self._city_key}"
        if demands(hosted, ACCESS_LOG):
            settings[ACCESS_LOG] = self._keep_log(bucket, days_demanded(hosted, ACCESS_LOG))
        if demands(hosted, BACK_UP):
            # Versions guard against mistakes. They are no copy elsewhere: the duty stays open.
            self._keep_versions(bucket)
        if change.access_rights is not AccessRights.PUBLIC:
            self._close_to_the_public(bucket)
        outcome = judged(hosted, f"s3://{bucket}", settings, self._attested)
        self._tag(bucket, _tags(change, hosted, outcome))
        return outcome

    def leave(self, change: DatasetChange, site: str) -> str:
        """Remove the place if nothing is in it; else mark it, and say what it is waiting for."""
        bucket = place_name(site, change.dataset)
        if not self._exists(bucket):
            return ""
        if self._holds_data(bucket):
            left = {"state": "to be emptied", "dataset": change.dataset, "site": site}
            self._tag(bucket, {**left, "decision": str(change.decision)})
            return f"s3://{bucket} still holds data: it is marked, and kept until it is emptied"
        # The service itself refuses this, too, if somebody has put something there meanwhile.
        self._s3.delete_bucket(Bucket=bucket)
        return ""

    def held(self) -> dict[str, bool]:
        """Names of the places that there are, and whether data is in each."""
        pages = self._s3.get_paginator("list_buckets").paginate()
        names = [bucket["Name"] for page in pages for bucket in page.get("Buckets", ())]
        return {name: self._holds_data(name) for name in names if name.startswith("p-")}

    def reference(self, name: str) -> str:
        """Where a place is."""
        return f"s3://{name}"

    def _holds_data(self, bucket: str) -> bool:
        """Versions of what was deleted are data, too."""
        held = self._s3.list_object_versions(Bucket=bucket, MaxKeys=1)
        return bool(held.get("Versions") or held.get("DeleteMarkers"))

    def _exists(self, bucket: str) -> bool:
        from botocore.exceptions import ClientError  # type: ignore[import-untyped]

        try:
            self._s3.head_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return False
            raise
        return True

    def _create(self, bucket: str) -> None:
        if not self._exists(bucket):
            self._s3.create_bucket(Bucket=bucket)

    def _encrypt_in_transit(self, bucket: str) -> str:
        deny = {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            # The data, and not the bucket's settings: on this machine we make those without TLS.
            "Resource": f"arn:aws:s3:::{bucket}/*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
        self._s3.put_bucket_policy(Bucket=bucket, Policy=policy)
        return "the bucket's policy denies requests without TLS"

    def _encrypt_at_rest(self, bucket: str) -> str:
        how = {"SSEAlgorithm": "AES256"}
        if self._city_key is not None:
            how = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self._city_key}
        rules = [{"ApplyServerSideEncryptionByDefault": how}]
        self._s3.put_bucket_encryption(
            Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules}
        )
        return f"encrypted by default, {how['SSEAlgorithm']}"

    def _keep_log(self, bucket: str, days: int | None) -> str:
        self._create(_LOG_BUCKET)
        self._close_to_the_public(_LOG_BUCKET)
        allow = {
            "Sid": "Delivery",
            "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{_LOG_BUCKET}/*",
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        self._s3.put_bucket_policy(Bucket=_LOG_BUCKET, Policy=policy)
        where = {"TargetBucket": _LOG_BUCKET, "TargetPrefix": f"{bucket}/"}
        self._s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": where})
        kept = "" if days is None else f" (at least {days} days are asked for)"
        return f"logged to s3://{_LOG_BUCKET}/{bucket}/, where nothing expires{kept}"

    def _keep_versions(self, bucket: str) -> None:
        self._s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    def _close_to_the_public(self, bucket: str) -> None:
        closed = dict.fromkeys(_PUBLIC_ACCESS, True)
        self._s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=closed)

    def _tag(self, bucket: str, tags: Mapping[str, str]) -> None:
        pairs = [{"Key": key, "Value": value[:256]} for key, value in sorted(tags.items())]
        self._s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": pairs})


def _tags(change: DatasetChange, hosted: HostedAt, outcome: Outcome) -> dict[str, str]:
    """At most 50, as S3 has it; an obligation a tag."""
    tags = {
        "state": "in use",
        "dataset": change.dataset,
        "site": hosted.site,
        "operator": hosted.operator,
        "decision": str(change.decision),
        "plan": change.plan,
        "confidentiality": "" if change.confidentiality is None else str(change.confidentiality),
        "gdpr": "" if change.gdpr_category is None else change.gdpr_category.value,
    }
    codes = sorted({one.code for one in hosted.host_obligations})
    tags |= {f"obligation:{code}": "met" if code in outcome.met else "not met" for code in codes}
    return dict(list(tags.items())[:50])
