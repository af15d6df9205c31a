"""The same stages on a Dask cluster: ``engine`` gives the runner another map; nothing below knows of it."""
