"""Who asks: tokens of the identity provider, API keys, and local tokens for development."""
