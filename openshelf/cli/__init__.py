"""The command line (docs/cli.md): the same services, for scripts and machines without a display."""
