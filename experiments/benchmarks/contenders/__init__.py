"""The programs that are compared: each its own process, so that none imports what another needs."""
