"""Studies: a small file in, a folder of recorded trials out."""
