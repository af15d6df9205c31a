"""Models at rest: a folder of ``config.json``, ``arrays.safetensors`` and text files; never a pickle."""
