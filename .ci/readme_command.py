"""Print the one line of a README's code blocks that contains a word: what people paste is what CI runs.

Usage: python .ci/readme_command.py README.md WORD
"""

import re
import sys
from pathlib import Path


def commands(readme: str) -> list[str]:
    """Return every line of the shell blocks."""
    return [line for block in re.findall(r"```sh\n(.*?)```", readme, re.DOTALL) for line in block.splitlines()]


def main() -> None:
    """Print the only matching line, or fail."""
    path, word = sys.argv[1:]
    found = [line for line in commands(Path(path).read_text(encoding="utf-8")) if word in line]
    if len(found) != 1:
        sys.exit(f"{path}: {len(found)} commands contain {word}, exactly one is wanted")
    sys.stdout.write(found[0] + "\n")


if __name__ == "__main__":
    main()
