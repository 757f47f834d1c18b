"""`python -m poll_counter.cli`: the command line without its entry point."""

import sys

from . import main

if __name__ == "__main__":
    sys.exit(main())
