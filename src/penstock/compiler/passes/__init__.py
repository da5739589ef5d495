"""Functions over frozen values, one file each; none imports another. `pipeline` has their order."""
