"""What a license asks, which ones apply along a lineage, and the record of who accepted."""
