"""Which one change of a candidate's source makes it right: its mistake, found where it was made."""
