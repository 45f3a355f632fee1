"""A typed client of the service, for automation written in Python."""
