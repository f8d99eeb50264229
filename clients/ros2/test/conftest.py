import pathlib
import sys

# So that the tests need no installation.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
