"""A bucket on this machine: moto's S3, on loopback."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer
from pytest_django import Settings


@dataclass(frozen=True)
class Bucket:
    name: str
    endpoint: str
    client: Any

    def names(self) -> list[str]:
        """Of the objects in it."""
        return sorted(each["Key"] for each in self.client.list_objects_v2(Bucket=self.name).get("Contents", []))

    def content_type(self, name: str) -> str:
        return str(self.client.head_object(Bucket=self.name, Key=name)["ContentType"])


@pytest.fixture(scope="session")
def _s3() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(_s3: str, settings: Settings) -> Bucket:
    """The portal keeps its files there, beneath `voices/`."""
    name = f"recordings-{secrets.token_hex(4)}"
    keys = {"aws_access_key_id": "a-key", "aws_secret_access_key": "a-secret-key"}
    config = Config(s3={"addressing_style": "path"})
    client = boto3.client("s3", endpoint_url=_s3, region_name="us-east-1", config=config, **keys)
    client.create_bucket(Bucket=name)
    settings.S3_BUCKET = name
    options = {
        "bucket_name": name,
        "endpoint_url": _s3,
        "region_name": "us-east-1",
        "access_key": "a-key",
        "secret_key": "a-secret-key",
        "location": "voices",
        "signature_version": "s3v4",
        "addressing_style": "path",
    }
    backend = {"BACKEND": "voiceclone_site.object_storage.PrivateBucket", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "default": backend}
    return Bucket(name, _s3, client)
