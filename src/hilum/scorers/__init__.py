"""(reference, candidate) texts -> Score; each module whose name has no leading underscore is a scorer."""
