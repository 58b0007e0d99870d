"""`python -m svm` is the command `svm`."""

from svm.cli import main

if __name__ == "__main__":
    main()
