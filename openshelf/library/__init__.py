"""What is installed, and how it gets there."""
