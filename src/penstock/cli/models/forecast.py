"""`penstock forecast`: `penstock predict`, by the name that those with series look for."""

from penstock.cli.models.predict import predict as forecast

__all__ = ["forecast"]
