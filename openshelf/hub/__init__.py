"""The Hugging Face Hub: search, metadata, license files, and the body of downloads."""
