"""Where students train: in this process or on a Ray cluster."""
