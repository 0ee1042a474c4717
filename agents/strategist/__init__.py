"""The strategist: asks every strategy of a run what it wants, given the bars the run may see."""
