"""`python -m hlsgen`."""

import sys

from hlsgen.cli.main import main

sys.exit(main())
