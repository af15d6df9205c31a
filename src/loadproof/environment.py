"""What the environment says, read at the command line's edge and nowhere else."""

from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from loadproof.errors import ConfigError
from loadproof.parts import open_binary

__all__ = ["Environment", "SampleMode", "read_environment"]

_FILE: Final = Path(".env")


class Environment(BaseSettings):
    """What the environment and ``.env`` may say; read at the command line's edge and nowhere else."""

    model_config = SettingsConfigDict(env_file=_FILE, env_ignore_empty=True, extra="ignore", frozen=True)

    use_samples: bool | None = None
    device: str = "cpu"
    loadproof_engine: str = "plain"
    dask_scheduler_address: str | None = None
    ci: str = ""
    github_actions: str = ""
    ceda_token: SecretStr | None = None
    ssen_ckan_url: str | None = None
    ssen_api_key: SecretStr | None = None
    track: bool = True
    mlflow_tracking_uri: SecretStr | None = None
    rank_timeout_s: float = Field(default=1800, gt=0)
    # What torchrun says to the processes that it starts.
    torchelastic_run_id: str | None = None
    world_size: int = Field(default=1, ge=1)
    rank: int = Field(default=0, ge=0)
    local_rank: int = Field(default=0, ge=0)
    torchelastic_restart_count: int = Field(default=0, ge=0)

    @property
    def ranks(self) -> int:
        """How many processes ``torchrun`` started; 1 where it started none, whoever else speaks of a world."""
        return self.world_size if self.torchelastic_run_id else 1

    @property
    def mlflow_tracking_uri_text(self) -> str | None:
        """The server of the record, whose address may carry a password."""
        return self.mlflow_tracking_uri.get_secret_value() if self.mlflow_tracking_uri else None

    @property
    def ssen_api_key_text(self) -> str | None:
        """SSEN's key, for the one session that sends it."""
        return self.ssen_api_key.get_secret_value() if self.ssen_api_key else None

    @property
    def ceda_token_text(self) -> str | None:
        """CEDA's access token, for the one call that sends it."""
        return self.ceda_token.get_secret_value() if self.ceda_token else None

    @property
    def on_ci(self) -> str | None:
        """Which variable says that this is a build machine; services set them to any word."""
        for name, value in (("CI", self.ci), ("GITHUB_ACTIONS", self.github_actions)):
            if value.strip().lower() not in ("", "0", "false", "no"):
                return f"{name}={value}"
        return None


def read_environment() -> Environment:
    """Return what the environment and ``.env`` say.

    Raises:
        ConfigError: If a variable has a value that cannot be meant, or ``.env`` is no text or cannot be read.
    """
    try:
        with suppress(FileNotFoundError):
            open_binary(_FILE).close()  # a pipe would be waited for, forever
        return Environment()
    except OSError as error:
        raise ConfigError(f".env: cannot be read ({error}); mend it or move it away") from error
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper()
        raise ConfigError(f"{name}: {first['msg']}; mend it in the environment or in .env, or unset it") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f".env: is no UTF-8 text ({error}); mend it or move it away") from error


class SampleMode(BaseModel):
    """Whether a run takes the bundled samples, and what decided it."""

    model_config = ConfigDict(frozen=True)

    on: bool
    why: str

    @classmethod
    def decide(cls, flag: bool | None, environment: Environment) -> "SampleMode":
        """Take the flag, then ``USE_SAMPLES``, then ``CI`` or ``GITHUB_ACTIONS``, else real data."""
        if flag is not None:
            return cls(on=flag, why="--use-samples" if flag else "--no-use-samples")
        if environment.use_samples is not None:
            return cls(on=environment.use_samples, why=f"USE_SAMPLES={str(environment.use_samples).lower()}")
        if environment.on_ci:
            return cls(on=True, why=environment.on_ci)
        return cls(on=False, why="the default")
