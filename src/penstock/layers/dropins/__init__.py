"""penstock's layers in the place of torch.nn's: the same names, arguments, errors and weights."""
