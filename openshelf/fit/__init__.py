"""Does it fit, where, how fast, and what would make it fit."""
