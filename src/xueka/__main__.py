"""`python -m xueka` is the `xueka` command."""

from xueka.entrypoints.cli.main import main

main()
