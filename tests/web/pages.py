"""What the tests of the pages share."""
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
KEY = "the-key"
