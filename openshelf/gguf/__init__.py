"""GGUF files: headers, names, and header-only shadows."""
