"""What every section of knobs is: frozen, and without a key that nobody knows."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Section"]


class Section(BaseModel):
    """Some knobs of an experiment; those who use them get a section and no more."""

    model_config = ConfigDict(frozen=True, extra="forbid")
