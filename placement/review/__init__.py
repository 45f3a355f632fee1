"""Looks at policy drafts, which are hostile input until somebody vouched for them."""
