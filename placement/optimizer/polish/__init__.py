"""Price and polish: exact programmes over near ties, and the whole problem where that is small."""
