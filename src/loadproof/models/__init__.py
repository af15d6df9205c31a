"""Networks: ``patchtst`` (the network), ``training`` (the one loop), ``patchtst_forecaster`` (as a forecaster)."""
