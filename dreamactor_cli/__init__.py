"""The command line of dreamactor: flags, pipes, progress and exit codes. All work is done in `stages`."""
