"""``python -m cascade_cli`` is ``cascade``."""

from cascade_cli.app import main

if __name__ == "__main__":
    main()
