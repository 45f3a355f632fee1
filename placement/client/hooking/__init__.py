"""Parts of the example hook: what it makes for a dataset at a site, and what it says of it."""
