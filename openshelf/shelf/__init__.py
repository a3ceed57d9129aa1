"""The rows of the Shelf: catalog × fit × license × policy."""
