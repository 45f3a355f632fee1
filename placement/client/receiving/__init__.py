"""The parts of a receiver: signatures, messages, the journal, and a small server."""
