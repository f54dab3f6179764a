"""Clusters in a definition, in the environment, and put in place by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from engines.types import Attachment, Certificates
from experiments.asked import check_all
from experiments.definition import check_host, experiment_schema, granted, load_experiment
from experiments.definition.attach import (
    attach_from_environment,
    attachment_from_environment,
    attachment_of,
    child_secrets,
    named_in_environment,
    with_cluster,
)
from experiments.definition.conventions import SECRET_FILE_VARIABLE, SECRET_VARIABLE
from experiments.definition.host import engine_cores, granted_memory
from experiments.errors import RequestError

CORES = len(os.sched_getaffinity(0))
REFERENCE = Path(__file__).parents[2] / "results" / "reference"
TCP = "tcp://10.0.0.5:8786"
TLS = "tls://10.0.0.5:8786"
MASTER = "spark://10.0.0.5:7077"
DASK_TLS = {
    "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": "ca_file",
    "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT": "cert",
    "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY": "key",
}


def digits(*overrides, engines="dask,spark"):
    """Return the ready experiment on the digits with some values replaced."""
    return load_experiment("kmeans-digits", overrides, engines.split(","))


def refusal(function, *arguments):
    with pytest.raises(RequestError) as raised:
        function(*arguments)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.fixture
def files(tmp_path):
    """Return the paths of three files as certificates are named, and their setting as YAML."""
    paths = {key: str(tmp_path / f"{key}.pem") for key in ("ca_file", "cert", "key")}
    for path in paths.values():
        Path(path).write_text("PEM", encoding="ascii")
    return paths


def tls(paths):
    return f"engines.dask.tls={json.dumps(paths)}"


# the definition


def test_the_keys_of_a_cluster_are_read_written_and_kept_at_every_point(files):
    asked = digits(
        f"engines.dask.address={TLS}", tls(files), "engines.dask.wait=5 s",
        f"engines.spark.master={MASTER}", "engines.spark.secret_env=SECRET",
        "engines.spark.python=/opt/python", "resources.allow_unequal=true",
        "sweep={workload.n_clusters: [2, 3]}",
    )  # fmt: skip
    assert asked.engines.dask.address == TLS
    assert asked.engines.dask.tls.key == files["key"]
    assert asked.engines.dask.wait_s == 5.0
    assert asked.engines.spark.wait_s == 60.0
    assert list(asked.engines.attached) == ["dask", "spark"]
    for _, at_point in asked.points():
        assert at_point.engines == asked.engines
        assert at_point.resources.allow_unequal


def test_a_definition_with_a_cluster_is_read_back_as_it_was_written(tmp_path):
    asked = digits(f"engines.dask.address={TCP}", f"engines.spark.master={MASTER}")
    path = tmp_path / "definition.yaml"
    path.write_text(asked.to_yaml(), encoding="utf-8")
    assert load_experiment(path) == asked


def test_a_definition_without_a_cluster_has_no_key_of_one():
    written = digits().to_yaml()
    for key in ("address", "tls", "wait", "master", "secret", "python", "allow_unequal"):
        assert f"{key}:" not in written


@pytest.mark.parametrize("name", sorted(folder.name for folder in REFERENCE.iterdir()))
def test_what_ran_before_there_were_clusters_has_the_digest_that_it_had(name):
    known = json.loads((REFERENCE / name / "run.json").read_text(encoding="utf-8"))["definition"]
    assert load_experiment(name, variant="reference").digest == known


@pytest.mark.parametrize(
    "override",
    [
        "engines.dask.address=[tcp://me:hunter2@10.0.0.5:8786]",
        "engines.spark.secret=hunter2",
        "engines.spark={secret: 'hunter2'}",
        "engines.spark={secret: [a, 'b hunter2']}",
        "engines.spark.password=hunter2",
        "engines.spark.PASSWD=a hunter2",
        "engines.spark={'api_key': {a: 'b, hunter2'}}",
        'engines.spark.token="hunter2',
        "sweep={engines.spark.secret_env: [a, hunter2!]}",
        "engines.spark.secret_env=hunter2!",
        "engines.spark.secret_env=[a, hunter2]",
        "storage=s3://bucket/folder?access_key=hunter2",
        "storage=s3://me:hun/hunter2@bucket/folder",
        "storage=s3://bucket/folder?endpoint_override=http://me:hunter2@host",
    ],
)
def test_no_refusal_repeats_a_secret(override):
    assert "hunter2" not in refusal(digits, override)


@pytest.mark.parametrize(
    "secret",
    [
        "deadbeef" * 8,  # as `cluster secrets` makes them, of which some begin with a letter
        "DEADBEEF01234567",
        "hunter2" * 10,
        "'1234567890'",
        "1234567890",  # read as a number
    ],
)
def test_what_looks_like_a_secret_is_no_name_of_a_variable_and_is_not_repeated(secret):
    message = refusal(digits, f"engines.spark.secret_env={secret}")
    assert "engines.spark.secret_env: must be the name of an environment variable" in message
    assert secret.strip("'") not in message


@pytest.mark.parametrize("name", ["_", "deadbeef", "SPARK__CLUSTER__" * 4])
def test_a_name_of_a_variable_may_be_short_or_long(name):
    assert digits(f"engines.spark.secret_env={name}").engines.spark.secret_env == name


def test_a_home_folder_that_is_not_known_is_refused():
    assert refusal(digits, "storage=~nobody-of-that-name/x").endswith(
        "storage: the home folder in it is not known."
    )


def test_the_environment_changes_nothing_of_what_is_asked():
    asked = digits("sweep={engines.dask: [{workers: 1}, {workers: 2}]}", "resources.cores=2")
    attached, _ = attach_from_environment(asked, {"DASK_SCHEDULER_ADDRESS": TCP})
    assert attached.sweep != asked.sweep
    assert attached.digest == asked.digest


def test_where_it_is_computed_is_no_part_of_what_is_asked(files):
    placed = digits(f"engines.dask.address={TLS}", tls(files), "engines.spark.master=local")
    assert placed.digest == digits().digest
    assert digits("resources.allow_unequal=true").digest != digits().digest


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.5:8786", "ucx://10.0.0.5:8786", "tcp://:8786", "tcp://a:0",
        "tcp://a:70000", "tcp://a:b", "tcp://a:1/x", "tcp://[::1:1", "tcp://a:1,b:2", "12", "''",
        "'tcp://a :1'",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_scheduler_is_refused(address):
    message = refusal(digits, f"engines.dask.address={address}")
    assert "engines.dask.address: must be the address of a Dask scheduler" in message


def test_an_address_without_a_port_is_shown_with_one():
    dask = refusal(digits, "engines.dask.address=tcp://10.0.0.5")
    assert "engines.dask.address: needs a port, such as tcp://10.0.0.5:8786; got" in dask
    spark = refusal(digits, "engines.spark.master=spark://a")
    assert "engines.spark.master: needs a port, such as spark://a:7077; got" in spark


@pytest.mark.parametrize("master", ["yarn", "k8s://a:1", "local[2]", TCP])
def test_masters_that_are_not_standalone_are_refused(master):
    message = refusal(digits, f"engines.spark.master={master}")
    assert "engines.spark.master: must be a standalone master of Spark" in message


@pytest.mark.parametrize(
    "override",
    [
        "engines.dask.address=tcp://me:hunter2@10.0.0.5:8786",
        "engines.spark.master=spark://me:hunter2@10.0.0.5:7077",
        "engines.spark.master=spark://me:hun/hunter2@10.0.0.5:7077",
    ],
)
def test_a_password_in_an_address_is_refused_and_not_repeated(override):
    message = refusal(digits, override)
    assert "without a name or password before the host" in message
    assert "hunter2" not in message


def test_a_secret_in_the_place_of_its_variable_is_refused_and_not_repeated(tmp_path):
    path = tmp_path / "mine.yaml"
    text = digits().to_yaml().replace("  spark:\n", "  spark:\n    secret_env: hunter-2\n")
    path.write_text(text, encoding="utf-8")
    message = refusal(load_experiment, path)
    assert "engines.spark.secret_env: must be the name of an environment variable" in message
    assert "hunter" not in message


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            [f"engines.dask.address={TCP}", "engines.dask.tls={ca_file: a, cert: b, key: c}"],
            "engines.dask.tls: goes with an address that starts with tls://",
        ),
        (
            ["engines.dask.address=local", "engines.dask.tls={ca_file: a, cert: b, key: c}"],
            "engines.dask.tls: has no meaning with address: local; remove tls.",
        ),
        (["engines.dask.tls={ca_file: a, cert: b}"], "engines.dask.tls.key: is missing"),
        (
            ["engines.spark.secret_env=A", "engines.spark.secret_file=b"],
            "engines.spark.secret_file: is given beside secret_env; give one of them.",
        ),
        (
            ["engines.spark.master=local", "engines.spark.python=/opt/python"],
            "engines.spark.python: has no meaning with master: local; remove python.",
        ),
        (["engines.dask.adress=local"], "unknown key; did you mean address?"),
        (["engines.dask.wait=0"], "engines.dask.wait: must be a duration above zero"),
    ],
)
def test_keys_of_a_cluster_that_do_not_go_together_are_refused_in_one_sentence(overrides, said):
    assert said in refusal(digits, *overrides)


def test_the_schema_for_editors_knows_the_keys_of_clusters():
    sections = experiment_schema()["$defs"]
    assert {"address", "tls", "wait"} <= set(sections["DaskOptions"]["properties"])
    assert {"master", "secret_env", "secret_file", "python"} <= set(
        sections["SparkOptions"]["properties"]
    )


# the environment


def test_without_a_word_on_clusters_nothing_changes():
    assert attach_from_environment(digits(), {}) == (digits(), {})


def test_dask_is_attached_by_its_own_variable_and_the_definition_wins():
    environ = {"DASK_SCHEDULER_ADDRESS": TCP}
    asked, sources = attach_from_environment(digits(), environ)
    assert asked.engines.dask.address == TCP
    assert sources == {"dask": "DASK_SCHEDULER_ADDRESS"}
    own, sources = attach_from_environment(digits("engines.dask.address=tcp://a:1"), environ)
    assert own.engines.dask.address == "tcp://a:1"
    assert sources == {"dask": "the definition"}
    local, sources = attach_from_environment(digits("engines.dask.address=local"), environ)
    assert attachment_of(local, "dask") is None
    assert sources == {}


def test_an_address_without_a_scheme_is_one_of_tcp_as_for_dask_itself():
    asked, _ = attach_from_environment(digits(), {"DASK_SCHEDULER_ADDRESS": "10.0.0.5:8786"})
    assert asked.engines.dask.address == TCP


def test_an_engine_that_does_not_run_is_not_attached():
    environ = {"DASK_SCHEDULER_ADDRESS": "nonsense", "SPARK_MASTER": MASTER}
    asked, sources = attach_from_environment(digits(engines="sklearn"), environ)
    assert (asked.engines.attached, sources) == ({}, {})


def test_certificates_come_from_dasks_own_variables(files):
    environ = {"DASK_SCHEDULER_ADDRESS": TLS}
    environ |= {variable: files[key] for variable, key in DASK_TLS.items()}
    asked, _ = attach_from_environment(digits(), environ)
    assert attachment_of(asked, "dask").certificates == Certificates(**files)


def test_encryption_without_certificates_is_refused():
    message = refusal(attach_from_environment, digits(f"engines.dask.address={TLS}"), {})
    assert message.startswith(f"engines.dask.address: {TLS} needs certificates and none are given")
    assert all(variable in message for variable in DASK_TLS)


def test_what_is_missing_of_certificates_is_named_in_all_its_places(files, tmp_path):
    asked = digits(f"engines.dask.address={TLS}")
    message = refusal(attach_from_environment, asked, {})
    assert message.endswith(
        "or distributed.comm.tls.ca-file, distributed.comm.tls.client.cert and "
        "distributed.comm.tls.client.key of Dask's configuration."
    )
    environ = {variable: files[key] for variable, key in DASK_TLS.items() if key != "key"}
    assert refusal(attach_from_environment, asked, environ) == (
        f"engines.dask.address: {TLS} needs certificates and key is not given; set "
        "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY, or distributed.comm.tls.client.key of Dask's "
        "configuration, or ca_file, cert and key of engines.dask.tls."
    )
    # also where some are in the files of Dask
    text = json.dumps({"distributed": {"comm": {"tls": {"client": {"key": files["key"]}}}}})
    environ = {"DASK_CONFIG": str(written(tmp_path / "etc", "tls.yaml", text))}
    message = refusal(attach_from_environment, asked, environ)
    assert "needs certificates and ca_file and cert are not given; set " in message
    assert "distributed.comm.tls.ca-file and distributed.comm.tls.client.cert of" in message
    # no variable helps where a definition says that there are none
    environ = {variable: files[key] for variable, key in DASK_TLS.items()}
    swept = digits(f"engines.dask.address={TLS}", "sweep={engines.dask.tls: [null]}")
    assert "and none are given" in refusal(attach_from_environment, swept, environ)


def test_a_certificate_that_cannot_be_read_is_refused(files):
    Path(files["key"]).unlink()
    asked = digits(f"engines.dask.address={TLS}", tls(files))
    message = refusal(attach_from_environment, asked, {})
    assert message.startswith("engines.dask.tls.key: ")
    assert message.endswith("cannot be read: No such file or directory; name another file.")


def test_certificates_are_not_dropped_for_an_address_without_encryption(files):
    message = refusal(attach_from_environment, digits(tls(files)), {"DASK_SCHEDULER_ADDRESS": TCP})
    assert "DASK_SCHEDULER_ADDRESS is tcp://10.0.0.5:8786, which is not encrypted" in message


def test_spark_is_attached_by_a_variable_or_by_its_own_file(tmp_path):
    asked, sources = attach_from_environment(digits(), {"SPARK_MASTER": MASTER})
    assert asked.engines.spark.master == MASTER
    assert sources == {"spark": "SPARK_MASTER"}
    home = tmp_path / "spark"
    (home / "conf").mkdir(parents=True)
    defaults = home / "conf" / "spark-defaults.conf"
    defaults.write_text(
        "# spark.master spark://no:1\nspark.master  spark://old:1\n"
        f"spark.executor.memory 1g\nspark.master={MASTER}\n",
        encoding="utf-8",
    )
    for environ in ({"SPARK_HOME": str(home)}, {"SPARK_CONF_DIR": str(home / "conf")}):
        asked, sources = attach_from_environment(digits(), environ)
        assert asked.engines.spark.master == MASTER
        assert sources == {"spark": f"spark.master of {defaults}"}


@pytest.mark.parametrize("apart", ["\t", " = ", ":", " : ", "="])
def test_the_master_in_sparks_own_file_is_written_as_java_reads_it(tmp_path, apart):
    text = f"spark.master.rest.port 1\n  spark.master{apart}{MASTER} \n"
    (tmp_path / "spark-defaults.conf").write_text(text, encoding="utf-8")
    asked, _ = attach_from_environment(digits(), {"SPARK_CONF_DIR": str(tmp_path)})
    assert asked.engines.spark.master == MASTER


@pytest.mark.parametrize("master", ["local", "local[4]", "local[*]"])
def test_sparks_local_mode_in_the_environment_is_no_cluster(master):
    assert attach_from_environment(digits(), {"SPARK_MASTER": master}) == (digits(), {})


def test_a_master_of_another_kind_in_the_environment_is_refused_with_its_source():
    message = refusal(attach_from_environment, digits(), {"SPARK_MASTER": "yarn"})
    assert message.startswith("SPARK_MASTER: must be a standalone master of Spark")
    # a definition that says local is not troubled by it
    asked = digits("engines.spark.master=local")
    assert attach_from_environment(asked, {"SPARK_MASTER": "yarn"})[1] == {}


def test_whole_options_that_are_swept_get_the_cluster_too():
    asked = digits("sweep={engines.dask: [{workers: 1}, {address: local}]}", "resources.cores=1")
    asked, sources = attach_from_environment(asked, {"DASK_SCHEDULER_ADDRESS": TCP})
    addresses = [at_point.engines.dask.address for _, at_point in asked.points()]
    assert addresses == [TCP, "local"]
    assert sources == {"dask": "DASK_SCHEDULER_ADDRESS"}


def test_whole_options_that_are_swept_need_nothing_of_the_environment_where_all_are_local():
    environ = {"DASK_SCHEDULER_ADDRESS": "nonsense"}
    asked = digits("sweep={engines.dask: [{address: local}]}", "resources.cores=1")
    assert attach_from_environment(asked, environ) == (asked, {})
    some = digits("sweep={engines.dask: [{address: local}, {workers: 1}]}", "resources.cores=1")
    assert refusal(attach_from_environment, some, environ).startswith("DASK_SCHEDULER_ADDRESS: ")


def test_the_clusters_of_the_environment_can_be_listed():
    environ = {"DASK_SCHEDULER_ADDRESS": TCP, "SPARK_MASTER": "local[2]"}
    assert named_in_environment(environ) == {"dask": (TCP, "DASK_SCHEDULER_ADDRESS")}
    environ["SPARK_MASTER"] = "yarn"
    assert list(named_in_environment(environ, ("dask",))) == ["dask"]
    assert refusal(named_in_environment, environ, ("spark",)).startswith("SPARK_MASTER: ")


def test_a_cluster_for_one_engine_needs_no_definition(files, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n", encoding="ascii")
    environ = {"DASK_SCHEDULER_ADDRESS": TLS, "SPARK_MASTER": MASTER}
    environ |= {variable: files[key] for variable, key in DASK_TLS.items()}
    environ[SECRET_FILE_VARIABLE] = str(secret)
    assert attachment_from_environment("dask", environ, exact=True) == (
        Attachment(TLS, 60.0, certificates=Certificates(**files)), "DASK_SCHEDULER_ADDRESS", None
    )  # fmt: skip
    assert attachment_from_environment("spark", environ, exact=False) == (
        Attachment(MASTER, 60.0, exact=False, secret_variable=SECRET_VARIABLE),
        "SPARK_MASTER",
        "hunter2",
    )
    assert attachment_from_environment("sklearn", environ, exact=True) is None
    assert attachment_from_environment("spark", {"SPARK_MASTER": "local"}, exact=True) is None
    secret.unlink()
    with pytest.raises(RequestError, match=r"^engines\.spark\.secret_file: "):
        attachment_from_environment("spark", environ, exact=True)


# Dask's own configuration files


def written(folder, name, text):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize("key", ["scheduler-address", "scheduler_address"])
def test_dask_is_attached_by_its_own_files_and_a_variable_or_the_definition_wins(tmp_path, key):
    file = written(tmp_path, "mine.yaml", f"{key}: {TCP}\n")
    for named in (tmp_path, file):
        asked, sources = attach_from_environment(digits(), {"DASK_CONFIG": str(named)})
        assert asked.engines.dask.address == TCP
        assert sources == {"dask": f"scheduler-address of {file}"}
    environ = {"DASK_CONFIG": str(tmp_path), "DASK_SCHEDULER_ADDRESS": "tcp://a:1"}
    asked, sources = attach_from_environment(digits(), environ)
    assert asked.engines.dask.address == "tcp://a:1"
    assert sources == {"dask": "DASK_SCHEDULER_ADDRESS"}
    for local in ({"DASK_SCHEDULER_ADDRESS": "local"}, {}):
        asked = digits() if local else digits("engines.dask.address=local")
        assert attach_from_environment(asked, environ | local)[1] == {}
    assert named_in_environment({"DASK_CONFIG": str(file)}) == {
        "dask": (TCP, f"scheduler-address of {file}")
    }


def test_the_last_of_dasks_files_counts_also_where_it_takes_an_address_back(tmp_path):
    written(tmp_path, "a.yaml", "scheduler-address: tcp://old:1\n")
    second = written(tmp_path, "b.yaml", f"scheduler-address: {TCP}\n")
    written(tmp_path, "c.yaml", "# scheduler-address: tcp://no:1\n")
    environ = {"DASK_CONFIG": str(tmp_path)}
    assert attach_from_environment(digits(), environ)[1] == {
        "dask": f"scheduler-address of {second}"
    }
    written(tmp_path, "d.yaml", "scheduler-address: null\n")
    assert attach_from_environment(digits(), environ) == (digits(), {})


def test_dasks_files_in_the_home_folder_are_found(tmp_path):
    file = written(tmp_path / ".config" / "dask", "mine.yaml", f"scheduler-address: {TCP}\n")
    program = (
        "import os\n"
        "from experiments.definition.attach import named_in_environment\n"
        "print(named_in_environment(os.environ))"
    )
    environ = {name: value for name, value in os.environ.items() if "DASK" not in name}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ | {"HOME": str(tmp_path)},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == str({"dask": (TCP, f"scheduler-address of {file}")})


def test_what_is_wrong_in_dasks_files_is_told_with_the_file(tmp_path):
    file = written(tmp_path, "mine.yaml", "scheduler-address: ucx://me:hunter2@a:1\n")
    environ = {"DASK_CONFIG": str(file)}
    message = refusal(attach_from_environment, digits(), environ)
    assert message.startswith(f"scheduler-address of {file}: must be the address of a Dask")
    assert "hunter2" not in message
    for text in ("a: [", "- a"):
        file.write_text(text, encoding="utf-8")
        message = refusal(attach_from_environment, digits(), environ)
        assert message.startswith("dask: its own configuration cannot be read (")
        assert str(file) in message
        # who does not need it is not troubled
        for other in (digits(engines="spark"), digits("engines.dask.address=local")):
            assert attach_from_environment(other, environ) == (other, {})


def test_a_run_is_refused_where_dask_cannot_read_its_own_files(tmp_path):
    file = written(tmp_path, "mine.yaml", "a: [")
    done = subprocess.run(
        [sys.executable, "-m", "experiments", "run", "kmeans-digits", "--engines", "dask"],
        env={**os.environ, "DASK_CONFIG": str(file)},
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    assert "dask: its own configuration cannot be read (" in line
    assert list(tmp_path.iterdir()) == [file]


def test_certificates_come_from_dasks_files_too_and_a_variable_wins_for_each(files, tmp_path):
    named = {"ca-file": files["ca_file"], "client": {key: files[key] for key in ("cert", "key")}}
    text = json.dumps({"distributed": {"comm": {"tls": named}}})
    environ = {"DASK_CONFIG": str(written(tmp_path / "etc", "tls.yaml", text))}
    for asked, more in (
        (digits(f"engines.dask.address={TLS}"), {}),
        (digits(), {"DASK_SCHEDULER_ADDRESS": TLS}),
    ):
        attached, _ = attach_from_environment(asked, environ | more)
        assert attachment_of(attached, "dask").certificates == Certificates(**files)
    other = tmp_path / "other.pem"
    other.touch()
    environ["DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY"] = str(other)
    attached, _ = attach_from_environment(digits(f"engines.dask.address={TLS}"), environ)
    assert attachment_of(attached, "dask").certificates == Certificates(
        **files | {"key": str(other)}
    )


# sweeps of places


def test_a_swept_scheduler_gets_certificates_where_it_has_a_use_for_them(files):
    environ = {variable: files[key] for variable, key in DASK_TLS.items()}
    places = ["local", TLS, "tls://10.0.0.6:1", TCP]
    asked = digits(f"sweep={{engines.dask.address: {json.dumps(places)}}}")
    attached, sources = attach_from_environment(asked, environ)
    assert attached.sweep == asked.sweep
    assert sources == {"dask": "the definition"}
    told = [attachment_of(one, "dask") for _, one in attached.points()]
    certificates = Certificates(**files)
    assert told == [
        None,
        Attachment(TLS, 60.0, certificates=certificates),
        Attachment("tls://10.0.0.6:1", 60.0, certificates=certificates),
        Attachment(TCP, 60.0),
    ]
    assert attach_from_environment(digits(), environ) == (digits(), {})


def test_what_is_written_of_certificates_stands_in_a_sweep(files, tmp_path):
    environ = {variable: files[key] for variable, key in DASK_TLS.items()}
    own = dict(files, key=str(tmp_path / "own.pem"))
    Path(own["key"]).touch()
    asked = digits(tls(own), f"sweep={{engines.dask.address: [local, '{TLS}']}}")
    attached, _ = attach_from_environment(asked, environ)
    first, second = (attachment_of(one, "dask") for _, one in attached.points())
    assert (first, second.certificates) == (None, Certificates(**own))
    # options that are swept as a whole, each with an address of its own
    asked = digits(f"sweep={{engines.dask: [{{address: '{TLS}'}}, {{address: '{TCP}'}}]}}")
    attached, sources = attach_from_environment(asked, environ)
    first, second = (attachment_of(one, "dask") for _, one in attached.points())
    assert first.certificates == Certificates(**files)
    assert second.certificates is None
    assert sources == {"dask": "the definition"}


def test_a_swept_master_gets_the_secret(tmp_path):
    file = tmp_path / "secret"
    file.write_text("hunter2", encoding="ascii")
    asked = digits(f"sweep={{engines.spark.master: [local, '{MASTER}']}}")
    for environ in ({SECRET_VARIABLE: "hunter2"}, {SECRET_FILE_VARIABLE: str(file)}):
        attached, sources = attach_from_environment(asked, environ)
        (_, here), (_, there) = attached.points()
        assert attachment_of(here, "spark") is None
        assert child_secrets(here, "spark", environ)[SECRET_VARIABLE] is None
        assert attachment_of(there, "spark").secret_variable == SECRET_VARIABLE
        assert child_secrets(there, "spark", environ)[SECRET_VARIABLE] == "hunter2"
        assert sources == {"spark": "the definition"}
    whole = digits(f"sweep={{engines.spark: [{{master: '{MASTER}'}}]}}")
    ((_, there),) = attach_from_environment(whole, environ)[0].points()
    assert child_secrets(there, "spark", environ)[SECRET_VARIABLE] == "hunter2"
    # a variable that is swept is not joined by a file from the environment
    both = digits(f"engines.spark.master={MASTER}", "sweep={engines.spark.secret_env: [A, B]}")
    attached, _ = attach_from_environment(both, {**environ, "A": "1", "B": "2"})
    assert [one.engines.spark.secret_env for _, one in attached.points()] == ["A", "B"]


def test_a_swept_address_that_says_nothing_is_that_of_the_environment():
    asked = digits("sweep={engines.dask.address: [null, local, 'tcp://a:1']}")
    attached, sources = attach_from_environment(asked, {"DASK_SCHEDULER_ADDRESS": TCP})
    addresses = [one.engines.dask.address for _, one in attached.points()]
    assert addresses == [TCP, "local", "tcp://a:1"]
    assert sources == {"dask": "DASK_SCHEDULER_ADDRESS and the definition"}
    # and one that is not asked for troubles nobody
    asked = digits("sweep={engines.dask.address: [local, 'tcp://a:1']}")
    attach_from_environment(asked, {"DASK_SCHEDULER_ADDRESS": "nonsense"})


# the secret


def test_only_the_engine_that_joins_with_the_secret_is_told_it():
    asked = digits(f"engines.spark.master={MASTER}", "engines.spark.secret_env=THEIRS")
    environ = {"THEIRS": "hunter2\n"}
    attached, _ = attach_from_environment(asked, environ)
    told = child_secrets(attached, "spark", environ)
    assert told == {"THEIRS": None, SECRET_VARIABLE: "hunter2", SECRET_FILE_VARIABLE: None}
    assert child_secrets(attached, "dask", environ)[SECRET_VARIABLE] is None
    assert "hunter2" not in attached.to_yaml()
    assert "hunter2" not in repr(attachment_of(attached, "spark"))
    assert attachment_of(attached, "spark").secret_variable == SECRET_VARIABLE


@pytest.mark.parametrize(
    "overrides",
    [
        [f"engines.spark.master={MASTER}", "engines.spark.secret_env=THEIRS"],
        [
            "engines.spark.secret_env=THEIRS",
            f"sweep={{engines.spark.master: [local, '{MASTER}']}}",
        ],
        [
            f"engines.spark.master={MASTER}",
            "sweep={engines.spark.secret_env: [null, THEIRS]}",
        ],
        [f"sweep={{engines.spark: [null, {{master: '{MASTER}', secret_env: THEIRS}}]}}"],
    ],
)
def test_a_variable_that_holds_a_secret_anywhere_is_kept_from_every_other_process(overrides):
    asked = digits(*overrides, engines="sklearn,dask,spark")
    environ = {"THEIRS": "hunter2"}
    attached, _ = attach_from_environment(asked, environ)
    told = [
        child_secrets(at_point, name, environ)
        for _, at_point in attached.points()
        for name in ("sklearn", "dask", "spark")
    ]
    assert all(one["THEIRS"] is None for one in told)
    assert [one[SECRET_VARIABLE] for one in told].count("hunter2") == 1
    assert told[-1][SECRET_VARIABLE] == "hunter2"


def test_a_secret_of_an_engine_that_does_not_run_is_told_to_nobody():
    secret = [f"engines.spark.master={MASTER}", "engines.spark.secret_env=THEIRS"]
    for asked in (
        digits(*secret, engines="sklearn"),
        digits(*secret, "sweep={workload.n_clusters: [2, 3]}", engines="sklearn"),
        # a cluster by name has a secret of its own, or none
        with_cluster(digits(*secret, engines="sklearn,spark"), Addresses(spark_master=MASTER)),
    ):
        attached, _ = attach_from_environment(asked, {"THEIRS": "hunter2"})
        for _, at_point in attached.points():
            for name in at_point.engines.selected():
                assert child_secrets(at_point, name, {"THEIRS": "hunter2"}) == {
                    "THEIRS": None, SECRET_VARIABLE: None, SECRET_FILE_VARIABLE: None
                }  # fmt: skip


def test_a_secret_of_the_environment_is_taken_from_its_variable_or_file(tmp_path):
    file = tmp_path / "secret"
    file.write_text("hunter2\n", encoding="ascii")
    for environ in ({SECRET_VARIABLE: "hunter2"}, {SECRET_FILE_VARIABLE: str(file)}):
        environ["SPARK_MASTER"] = MASTER
        attached, _ = attach_from_environment(digits(), environ)
        assert child_secrets(attached, "spark", environ)[SECRET_VARIABLE] == "hunter2"


def test_a_secret_without_a_cluster_is_told_to_nobody():
    environ = {SECRET_VARIABLE: "hunter2"}
    attached, _ = attach_from_environment(digits(), environ)
    assert child_secrets(attached, "spark", environ)[SECRET_VARIABLE] is None


def test_a_secret_that_is_missing_is_refused(tmp_path):
    by_name = digits(f"engines.spark.master={MASTER}", "engines.spark.secret_env=THEIRS")
    message = refusal(attach_from_environment, by_name, {})
    assert message.startswith("engines.spark.secret_env: the environment variable THEIRS is not")
    file = tmp_path / "secret"
    by_file = digits(f"engines.spark.master={MASTER}", f"engines.spark.secret_file={file}")
    assert "cannot be read: No such file" in refusal(attach_from_environment, by_file, {})
    file.touch()
    assert "is empty; write the secret" in refusal(attach_from_environment, by_file, {})
    for content in (b"a\0b", b"\xff\xfe"):
        file.write_bytes(content)
        assert "is no text; write the secret" in refusal(attach_from_environment, by_file, {})


# a cluster by name


@dataclass(frozen=True)
class Addresses:
    """What is known of a running cluster."""

    dask_address: str | None = None
    spark_master: str | None = None
    certificates: Certificates | None = None
    secret_file: Path | None = None


def test_a_cluster_by_name_wins_over_the_definition_and_the_environment(files, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hunter2", encoding="ascii")
    cluster = Addresses("tls://127.0.0.1:1", "spark://127.0.0.1:2", Certificates(**files), secret)
    asked = digits(f"engines.dask.address={TCP}", "engines.spark.secret_env=THEIRS")
    asked = with_cluster(asked, cluster)
    asked, _ = attach_from_environment(
        asked, {"DASK_SCHEDULER_ADDRESS": TCP, "SPARK_MASTER": MASTER}
    )
    assert attachment_of(asked, "dask") == Attachment(
        "tls://127.0.0.1:1", 60.0, certificates=Certificates(**files)
    )
    assert attachment_of(asked, "spark") == Attachment(
        "spark://127.0.0.1:2", 60.0, secret_variable=SECRET_VARIABLE
    )
    assert child_secrets(asked, "spark", {})[SECRET_VARIABLE] == "hunter2"


def test_nothing_of_the_environment_is_added_to_a_cluster_by_name(files, tmp_path):
    cluster = Addresses(TCP, "spark://127.0.0.1:2")
    environs = [
        {SECRET_VARIABLE: "hunter2"},
        {SECRET_FILE_VARIABLE: str(tmp_path / "missing")},
        {"DASK_SCHEDULER_ADDRESS": "nonsense", "SPARK_MASTER": "yarn"},
        {variable: files[key] for variable, key in DASK_TLS.items()},
    ]
    for overrides in (
        [],
        [f"engines.dask.address={TLS}", tls(files), "engines.spark.secret_env=THEIRS"],
        ["sweep={engines.spark: [{workers: 2}, {secret_env: THEIRS}]}", "resources.cores=2"],
    ):
        asked = with_cluster(digits(*overrides), cluster)
        for environ in environs:
            attached, sources = attach_from_environment(asked, environ)
            assert (attached, sources) == (asked, {})
            with pytest.MonkeyPatch.context() as patch:
                for name, value in environ.items():
                    patch.setenv(name, value)
                check_all([asked])
            for _, at_point in attached.points():
                assert attachment_of(at_point, "dask") == Attachment(TCP, 60.0)
                assert attachment_of(at_point, "spark") == Attachment("spark://127.0.0.1:2", 60.0)
                assert child_secrets(at_point, "spark", environ)[SECRET_VARIABLE] is None


def test_the_environment_still_counts_for_an_engine_that_the_cluster_by_name_has_not():
    asked = with_cluster(digits(), Addresses(dask_address=TCP))
    environ = {"SPARK_MASTER": MASTER, SECRET_VARIABLE: "hunter2"}
    attached, sources = attach_from_environment(asked, environ)
    assert sources == {"spark": "SPARK_MASTER"}
    assert child_secrets(attached, "spark", environ)[SECRET_VARIABLE] == "hunter2"


def test_a_cluster_by_name_takes_the_place_of_swept_certificates(files):
    asked = digits(
        f"engines.dask.address={TLS}", tls(files),
        f"sweep={{engines.dask.tls.key: ['{files['key']}', '{files['cert']}']}}",
    )  # fmt: skip
    placed = with_cluster(asked, Addresses(TCP))
    assert [attachment_of(one, "dask") for _, one in placed.points()] == [Attachment(TCP, 60.0)]


def test_an_engine_that_a_cluster_does_not_run_stays_where_it_was():
    asked = with_cluster(digits(), Addresses(spark_master=MASTER))
    assert list(asked.engines.attached) == ["spark"]
    only = with_cluster(digits(engines="sklearn"), Addresses(TCP, MASTER))
    assert only == digits(engines="sklearn")


def test_a_cluster_by_name_takes_the_place_of_a_swept_address():
    asked = digits(
        "sweep={engines.dask.address: [tcp://a:1, tcp://b:1], engines.dask.workers: [1]}"
    )
    placed = with_cluster(asked, Addresses(TCP))
    assert [one.engines.dask.address for _, one in placed.points()] == [TCP]


# this machine


def test_a_cluster_is_not_bounded_by_this_machine():
    cores = CORES * 64
    asked = [f"resources.cores={cores}", f"engines.dask.address={TCP}"]
    check_host(digits(*asked, engines="dask"))
    assert granted(digits(*asked, engines="dask"), "dask") == (cores, 1)
    # 64 times as many local workers would need more than the default memory
    assert granted_memory(digits(*asked, "resources.memory=null", engines="dask")) <= 4 * 2**30


def test_engines_on_this_machine_are_bounded_by_it_beside_a_cluster():
    asked = [f"resources.cores={CORES * 2}", f"engines.dask.address={TCP}"]
    message = refusal(check_host, digits(*asked, engines="sklearn,dask"))
    assert message.startswith(f"resources.cores: {CORES * 2} cores are asked for")
    assert "resources.allow_unequal: true" in message


def test_with_leave_to_be_unequal_this_machine_gives_what_it_has():
    asked = digits(
        f"resources.cores={CORES * 2}", f"engines.dask.address={TCP}",
        "resources.allow_unequal=true", engines="sklearn,dask",
    )  # fmt: skip
    check_host(asked)
    assert engine_cores(asked, "sklearn") == CORES
    assert engine_cores(asked, "dask") == CORES * 2
    assert attachment_of(asked, "dask").exact is False
