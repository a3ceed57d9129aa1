"""The command line (cli.md): the same services, for scripts and machines without a display."""
