"""The checks: each shown to bite, and to be silent where all is right; one file for each module."""
