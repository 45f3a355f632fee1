"""The problem as arrays: classes of units times sites, not one object a dataset."""
