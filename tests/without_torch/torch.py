"""In the place of PyTorch where `make test` names this folder: what `make run` installs goes without it."""

raise ImportError("PyTorch is kept away from this stage; what needs it is tested in tests/models")
