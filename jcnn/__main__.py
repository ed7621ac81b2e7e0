"""`python -m jcnn`, the same as the `jcnn` command."""

from jcnn.cli import main

if __name__ == "__main__":
    main()
