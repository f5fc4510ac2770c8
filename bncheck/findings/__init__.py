"""The catalogue of findings: what can be wrong with a layer, each under its own code."""
