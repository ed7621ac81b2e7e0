"""The `jcnn` command: `main` parses and ends, beside it stands one file for every subcommand."""
