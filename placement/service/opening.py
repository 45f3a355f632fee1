"""Opening a city: everything a process of the service works with, in the order it needs it.

    OPA -> keys -> database (migrated) -> first policies published -> who and what they may

OPA pulls its policies from the API, so that it can answer only after the API does: `/ready` tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from placement.eligibility.permissions import Permissions
from placement.eligibility.service_opa import open_feed, open_service_opa
from placement.eligibility.shared_opa import write_shared_opa
from placement.errors import BadInput, Defect
from placement.identity import LocalIssuer, open_tokens
from placement.keys import AuditKey, audit_key, sealing_keys
from placement.provision.guard import Guard
from placement.provision.sealing import Seal
from placement.service.city import City
from placement.service.policies import bootstrap
from placement.service.snapshot import Snapshots
from placement.settings import Settings, shipped_policies
from placement.store import Store, open_store
from placement.store.recorder import Recorder


@contextmanager
def open_city(settings: Settings, api_url: str, local: LocalIssuer | None = None) -> Iterator[City]:
    """A city, until the `with` block ends.

    Parameters
    ----------
    settings
        Where the database, the keys, the issuer and OPA are.
    api_url
        The API as OPA reaches it.
    local
        Issues tokens for development; without it only those of the settings' issuer count.

    Raises
    ------
    BadInput
        When a setting or a key cannot be used.
    StoreError
        When the database cannot be used.
    PolicyEngineError
        When OPA is missing or does not start, or the shipped policies cannot be read.
    """
    with ExitStack() as undo:
        # OPA first: it makes itself ready while we do.
        opa = open_service_opa(settings, open_feed(settings, api_url))
        undo.callback(opa.close)
        key = settings_key(settings)
        store = open_city_store(settings, key)
        undo.callback(store.close)
        recorder = Recorder(store)
        undo.callback(recorder.close)
        tokens = open_tokens(settings, local)
        permissions = Permissions(opa.asking, opa.authz_revision)
        undo.callback(permissions.close)
        yield City(
            settings=settings,
            store=store,
            recorder=recorder,
            audit_key=key,
            tokens=tokens,
            opa=opa,
            permissions=permissions,
            snapshots=Snapshots(store),
            seal=settings_seal(settings),
            guard=Guard(settings.webhook_hosts, settings.webhook_networks),
        )


def settings_key(settings: Settings) -> AuditKey:
    """The key that signs the audit log; made on first use. Raises BadInput."""
    return audit_key(settings.keys / "audit.pem")


def settings_seal(settings: Settings) -> Seal:
    """What encrypts secrets in the database; its key is made on first use. Raises BadInput."""
    return Seal(*sealing_keys(settings.keys / "secrets.key"))


def open_city_store(settings: Settings, key: AuditKey) -> Store:
    """The database, migrated, with a first revision of the policies.

    Raises
    ------
    BadInput, StoreError, PolicyEngineError
    """
    if settings.database_url is None:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = open_store(settings.store_url, key, settings.audit_head_file)
    try:
        with store.writing() as tx:
            bootstrap(tx, first_policies(settings))
    except BaseException:
        store.close()
        raise
    return store


def prepare(settings: Settings, opa_folder: Path | None) -> tuple[Path, ...]:
    """Bring the database up to date, make the keys, and write what a shared OPA needs.

    Parameters
    ----------
    settings
        For a shared OPA, `public_url` says where it finds the API, and `opa_token` what the API
        will show to it.
    opa_folder
        Where to write OPA's configuration; none: nowhere.

    Returns
    -------
    tuple of Path
        The files that were written.

    Raises
    ------
    BadInput, StoreError, PolicyEngineError
    """
    settings_seal(settings)
    open_city_store(settings, settings_key(settings)).close()
    feed = open_feed(settings, settings.public_url or "http://127.0.0.1:8000")
    if opa_folder is None:
        return ()
    if settings.opa_token is None:
        message = "a shared OPA knows the API by a token: set one of at least 32 characters"
        raise BadInput([Defect("", "PLACEMENT_OPA_TOKEN", "", message)])
    return write_shared_opa(opa_folder, feed, settings.opa_token)


def first_policies(settings: Settings) -> Path:
    """The folder of the policies that an empty store begins with."""
    return settings.policies or shipped_policies()


def local_issuer(settings: Settings) -> LocalIssuer:
    """The issuer of local tokens, for development alone. Raises BadInput."""
    return LocalIssuer(settings.keys / "local-issuer.pem")
