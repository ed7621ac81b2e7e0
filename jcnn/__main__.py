"""`python -m jcnn`, the same as the `jcnn` command."""

from jcnn.commands.main import main

if __name__ == "__main__":
    main()
