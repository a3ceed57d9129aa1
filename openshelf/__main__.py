"""`python -m openshelf`."""

import sys

from openshelf.entry import main

if __name__ == "__main__":
    sys.exit(main())
