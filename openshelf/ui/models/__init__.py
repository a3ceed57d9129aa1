"""Item models: rows that views paint."""
