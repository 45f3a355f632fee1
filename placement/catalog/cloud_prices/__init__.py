"""Price lists in the form of eu-cloud-prices (mixxor/eu-cloud-prices)."""

from __future__ import annotations

from placement.catalog.cloud_prices.importer import load_eu_cloud_prices

__all__ = ["load_eu_cloud_prices"]
