"""What the routes of the NGSI-LD interface share."""
