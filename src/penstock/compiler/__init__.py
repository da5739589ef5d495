"""Any cell becomes one fused kernel, forward and backward. Read `pipeline` first."""
