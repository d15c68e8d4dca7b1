"""`python -m distillab` is the command line."""

from distillab.cli import main

main()
