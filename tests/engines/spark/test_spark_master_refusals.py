"""What is said of a master that cannot read what this machine sends, or is not let read it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from engines.errors import ClusterError
from engines.spark.standalone import Master

ADDRESS = "spark://10.0.0.1:7077"
# what a master of Spark 4.1.1 answered to Spark 4.3.0
INCOMPATIBLE = (
    "java.lang.RuntimeException: java.io.InvalidClassException: "
    "org.apache.spark.resource.ResourceProfile; local class incompatible: stream classdesc "
    "serialVersionUID = -1872747411836192885, local class serialVersionUID = "
    "-2517983430696660228\n"
    "\tat java.base/java.io.ObjectStreamClass.initNonProxy(ObjectStreamClass.java:597)"
)
AROUND = "org.apache.spark.SparkException: Exception thrown in awaitResult: "


def java(said: str, cause: Any = None) -> Any:
    """Return an exception of the JVM."""
    return SimpleNamespace(toString=lambda: said, getCause=lambda: cause)


class RaisedInJavaError(Exception):
    """As py4j hands it on."""

    def __init__(self, java_exception: Any) -> None:
        super().__init__("told by the JVM")
        self.java_exception = java_exception


def master(settings: dict[str, str] | None = None) -> tuple[Master, Any]:
    """Return a line to a master, and what stands in for the JVM that it is asked from."""
    jvm = MagicMock()
    return Master(jvm, ADDRESS, "10.0.0.9", settings or {}), jvm.org.apache.spark


def asks(spark: Any) -> MagicMock:
    made: MagicMock = spark.rpc.RpcEnv.create().setupEndpointRef().askSync
    return made


@pytest.mark.parametrize(
    "said",
    [
        INCOMPATIBLE,
        (
            "java.lang.RuntimeException: java.lang.ClassNotFoundException: "
            "org.apache.spark.deploy.DeployMessages$RequestMasterState$"
        ),
        "java.lang.NoSuchMethodError: 'scala.Option org.apache.spark.deploy.Command.of()'",
    ],
)
@pytest.mark.parametrize("settings", [{}, {"spark.authenticate": "true"}])
def test_a_master_of_another_spark_is_told_with_the_version_of_this_machine(said, settings):
    from pyspark import __version__

    asked, spark = master(settings)
    asks(spark).side_effect = RaisedInJavaError(java(AROUND, java(said)))
    with pytest.raises(ClusterError) as refused:
        asked.workers()
    assert str(refused.value) == (
        f"spark: the master at {ADDRESS} runs another version of Spark than this machine, which "
        f"has {__version__}: install the version that the cluster has."
    )


def test_a_master_that_tells_its_workers_and_cannot_read_an_application_is_of_another_spark():
    asked, spark = master()
    state = SimpleNamespace(workers=tuple)
    asks(spark).side_effect = [state, RaisedInJavaError(java(AROUND, java(INCOMPATIBLE)))]
    with pytest.raises(ClusterError, match="runs another version of Spark than this machine"):
        asked.workers()
    spark.resource.ResourceProfile.assert_called_once()


def test_a_master_is_asked_once_whether_it_can_read_an_application():
    asked, spark = master()
    asks(spark).return_value = SimpleNamespace(workers=tuple)
    assert [asked.workers() for _ in range(3)] == [()] * 3
    assert asks(spark).call_count == 3 + 1


@pytest.mark.parametrize(
    ("said", "settings", "told"),
    [
        (
            "java.lang.IllegalArgumentException: Expected SaslMessage, received something else",
            {},
            "lets in only those that know its secret, and none was given: name ",
        ),
        (
            "java.lang.RuntimeException: at NettyRpcHandler.readRpcAddress",
            {"spark.authenticate": "true"},
            "knows of no secret, and one was given: ",
        ),
        (
            "java.io.IOException: Connection closed",
            {"spark.authenticate": "true"},
            "does not accept the secret that it was given, or was started without one: ",
        ),
        (
            "java.util.concurrent.TimeoutException: Futures timed out",
            {},
            (
                "does not answer as a master of Spark does within 5 s "
                "(java.util.concurrent.TimeoutException: Futures timed out): "
            ),
        ),
    ],
)
def test_other_answers_are_not_taken_for_another_version(said, settings, told):
    asked, spark = master(settings)
    asks(spark).side_effect = RaisedInJavaError(java(AROUND, java(said)))
    with pytest.raises(ClusterError) as refused:
        asked.workers()
    assert f"spark: the master at {ADDRESS} {told}" in str(refused.value)
