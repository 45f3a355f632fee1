"""NGSI-LD (ETSI GS CIM 009): records as entities of a context broker, queries, notifications.

Pure: nothing here reads a database or the network. `message` is what deliveries ask for.
"""

from placement.provision.ngsi_ld.changes import EntityChange, changes_of
from placement.provision.ngsi_ld.subscribing import (
    check_subscription,
    matches,
    message,
    notification,
    stored_subscription,
    subscription_uri,
)

__all__ = [
    "EntityChange",
    "changes_of",
    "check_subscription",
    "matches",
    "message",
    "notification",
    "stored_subscription",
    "subscription_uri",
]
