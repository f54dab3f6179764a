"""The engines of a definition: which run, with how many workers, and on which cluster."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from experiments.definition.addresses import LOCAL, DaskAddress, SparkMaster
from experiments.definition.conflicts import Conflict, raise_conflicts
from experiments.definition.units import Duration

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_WAIT_S = 60.0
# many hex digits and nothing else, or very many characters, are a secret rather than its variable
VARIABLE_PATTERN = r"^(?![0-9A-Fa-f]{16,}$)[A-Za-z_][A-Za-z0-9_]{0,63}$"

Count = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(min_length=1)]


def _check_variable(name: Any) -> str:
    if isinstance(name, str) and re.fullmatch(VARIABLE_PATTERN, name) and "\n" not in name:
        return name
    # what was written is not shown, be it text or a number: it may be the secret
    raise ValueError(
        "must be the name of an environment variable, of up to 64 letters, digits and '_', and not "
        "the secret itself"
    )


VariableName = Annotated[
    str,
    BeforeValidator(_check_variable),
    WithJsonSchema({"type": "string", "pattern": VARIABLE_PATTERN}),
]


class Section(BaseModel):
    """Base of the sections: frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class EngineOptions(Section):
    """How one engine takes part."""

    implementation: Literal["library"] = Field(
        default="library", description="Whose algorithm runs: 'library' is what the engine offers."
    )


class SklearnOptions(EngineOptions):
    """scikit-learn: one process with as many threads as there are cores."""


class ClusterOptions(EngineOptions):
    """An engine that spreads over workers; workers times threads must equal resources.cores.

    The workers are its own, started and stopped on this machine, unless the options or the
    environment name a running cluster to join.

    Attributes
    ----------
    place : tuple of str
        Keys that say where the workers are and how they are reached. They are left out of what is
        written where they are not given.
    """

    place: ClassVar[tuple[str, ...]] = ("wait",)

    workers: Count | None = Field(
        default=None,
        description="Worker processes (Dask) or tasks at a time (Spark); resources.cores divided "
        "by threads_per_worker when not given.",
    )
    threads_per_worker: Count | None = Field(
        default=None,
        description="Threads that each worker computes with; 1 when neither this nor workers is "
        "given, else what workers leaves of resources.cores.",
    )
    wait: Duration | None = Field(
        default=None,
        description="Most time in which a cluster must answer and have the workers that are asked "
        "for: seconds, or a duration such as 30 s; 60 s by default.",
    )

    @model_validator(mode="after")
    def _place_is_one(self) -> Self:
        raise_conflicts(self, self._conflicts())
        return self

    @model_serializer(mode="wrap")
    def _without_a_place_that_is_not_given(
        self, handler: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        return {
            key: value
            for key, value in written.items()
            if key not in self.place or value is not None
        }

    @property
    def cluster(self) -> str | None:
        """Address of the cluster to join, ``local`` for none, None where nothing is said."""
        return None

    @property
    def attached(self) -> bool:
        """Whether a cluster is joined, and no workers are started."""
        return self.cluster not in {None, LOCAL}

    @property
    def wait_s(self) -> float:
        """Seconds in which a cluster must answer."""
        return DEFAULT_WAIT_S if self.wait is None else self.wait

    def _conflicts(self) -> Iterator[Conflict]:
        yield from ()


class TlsOptions(Section):
    """Certificates by which this machine and the processes of a cluster know each other."""

    ca_file: Text = Field(description="PEM file of the certificates that are trusted.")
    cert: Text = Field(description="PEM file of the own certificate.")
    key: Text = Field(description="PEM file of the own private key.")


class DaskOptions(ClusterOptions):
    """Dask, on workers of its own or on a running cluster."""

    place: ClassVar[tuple[str, ...]] = ("address", "tls", "wait")

    address: DaskAddress | None = Field(
        default=None,
        description="Scheduler of a running cluster to join: tcp://host:port or tls://host:port. "
        "local starts workers on this machine, whatever the environment says; when not given, "
        "DASK_SCHEDULER_ADDRESS or scheduler-address of Dask's configuration files decides.",
    )
    tls: TlsOptions | None = Field(
        default=None,
        description="Certificates for an address with tls://; those of Dask's own environment "
        "variables (DASK_DISTRIBUTED__COMM__TLS__...) or configuration files when not given.",
    )

    @property
    def cluster(self) -> str | None:
        """Address of the scheduler."""
        return self.address

    def _conflicts(self) -> Iterator[Conflict]:
        if self.tls is not None and self.address is not None:
            if self.address == LOCAL:
                yield ("tls",), "has no meaning with address: local; remove tls"
            elif not self.address.startswith("tls://"):
                message = "goes with an address that starts with tls://, and this one does not"
                yield ("tls",), f"{message}; change the address, or remove tls"


class SparkOptions(ClusterOptions):
    """Spark, in local mode or on a running standalone cluster."""

    place: ClassVar[tuple[str, ...]] = ("master", "secret_env", "secret_file", "python", "wait")

    master: SparkMaster | None = Field(
        default=None,
        description="Standalone master of a running cluster to join: spark://host:port. local "
        "computes on this machine, whatever the environment says; when not given, SPARK_MASTER or "
        "spark.master of spark-defaults.conf decides.",
    )
    secret_env: VariableName | None = Field(
        default=None,
        description="Name of the environment variable with the secret by which Spark's processes "
        "authenticate; they also encrypt what they send then. The secret itself is never written "
        "here.",
    )
    secret_file: Text | None = Field(
        default=None, description="File with that secret, in the place of a variable."
    )
    python: Text | None = Field(
        default=None,
        description="Python that the workers of the cluster run, as they see it; the one that runs "
        "enginebench when not given.",
    )

    @property
    def cluster(self) -> str | None:
        """URL of the master."""
        return self.master

    def _conflicts(self) -> Iterator[Conflict]:
        if self.secret_env is not None and self.secret_file is not None:
            yield ("secret_file",), "is given beside secret_env; give one of them"
        if self.master == LOCAL:
            for key in ("secret_env", "secret_file", "python"):
                if getattr(self, key) is not None:
                    yield (key,), f"has no meaning with master: local; remove {key}"


class EnginesOptions(Section):
    """Which engines run, in the order written. An empty engine means its defaults."""

    sklearn: SklearnOptions | None = Field(default=None, description="scikit-learn, the baseline.")
    dask: DaskOptions | None = Field(
        default=None, description="Dask, on this machine or on the cluster at its address."
    )
    spark: SparkOptions | None = Field(
        default=None, description="Spark, in local mode or on the cluster of its master."
    )

    _order: tuple[str, ...] = PrivateAttr(())

    @model_validator(mode="wrap")
    @classmethod
    def _keep_the_order(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(value, dict):
            return handler(value)
        if not value:
            raise ValueError(
                f"must name at least one engine; choose from {', '.join(cls.model_fields)}"
            )
        options = handler({name: {} if given is None else given for name, given in value.items()})
        options._order = tuple(value)  # noqa: SLF001 - an instance of this class
        return options

    @model_serializer(mode="plain")
    def _only_the_selected(self) -> dict[str, Any]:
        return {name: options.model_dump(mode="json") for name, options in self.selected().items()}

    @classmethod
    def all(cls) -> Self:
        """Return every engine with its defaults, the baseline first."""
        return cls.model_validate(dict.fromkeys(cls.model_fields))

    def selected(self) -> dict[str, EngineOptions]:
        """Return the options of the engines that run, by name, in the order written."""
        return {name: getattr(self, name) for name in self._order}

    @property
    def attached(self) -> dict[str, ClusterOptions]:
        """The engines that join a cluster, by name, in the order written."""
        return {
            name: options
            for name, options in self.selected().items()
            if isinstance(options, ClusterOptions) and options.attached
        }

    @property
    def baseline(self) -> str:
        """The engine that the others are compared with: scikit-learn, or else the first."""
        return "sklearn" if "sklearn" in self._order else self._order[0]

    def only(self, names: tuple[str, ...]) -> Self:
        """Return the named engines alone, in that order; those not selected have defaults."""
        selected = self.selected()
        return type(self).model_validate(
            {name: selected[name].model_dump() if name in selected else None for name in names}
        )
