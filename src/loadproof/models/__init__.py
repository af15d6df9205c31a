"""Networks.

``patchtst`` is the network, ``patchtst_fit`` what a fit of it fixes, ``training`` the one loop, and
``patchtst_forecaster`` all of it as a forecaster.
"""
