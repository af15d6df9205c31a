"""``python -m loadproof`` is ``loadproof``."""

from loadproof.cli.app import main

main()
