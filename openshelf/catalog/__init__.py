"""The families on the shelf: what exists, who made it, where its GGUF builds lie."""
