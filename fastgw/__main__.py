"""Run the command line: python -m fastgw."""
from fastgw.cli import main

main()
