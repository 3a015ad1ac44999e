"""`python -m chatnb`."""

from __future__ import annotations

from chatnb.cli import main

raise SystemExit(main())
