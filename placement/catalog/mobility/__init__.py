"""Operators' micromobility data in the form of MDS 2.0 and GBFS 3.0, with the city's agreement.

A folder holds::

    agreement.json                the city's own: contract, team, retention, how trips are released
    mds/trips.json                MDS 2.0, provider: one page of /trips
    mds/events.json               /events/historical: every change of a vehicle's state
    mds/vehicles.json             /vehicles
    gbfs/system_information.json  GBFS 3.0
    gbfs/vehicle_status.json      or, of GBFS 2, free_bike_status.json
    gbfs/geofencing_zones.json
    gbfs/station_information.json

Published by the Open Mobility Foundation (MDS) and MobilityData (GBFS); the reader is our own.
"""

from __future__ import annotations

from placement.catalog.mobility.importer import load_mobility

__all__ = ["load_mobility"]
