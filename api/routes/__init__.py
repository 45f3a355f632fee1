"""One module a resource: parse, call one use case, render."""
