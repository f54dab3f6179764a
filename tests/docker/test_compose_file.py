"""What compose.yaml grants containers, and what it keeps from them."""

from __future__ import annotations

import re
import shlex

import pytest

ROLES = ("dask-scheduler", "dask-worker", "spark-master", "spark-worker")
SERVICES = ("client", *ROLES)
WORKERS = ("dask-worker", "spark-worker")
KEYS = {
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION",
    "AWS_ENDPOINT_URL",
}  # fmt: skip
UNITS = {"m": 2**20, "g": 2**30}


def size(text):
    return int(text[:-1]) * UNITS[text[-1]]


def test_there_is_a_client_and_each_part_of_both_clusters(compose):
    assert set(compose["services"]) == set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_may_do_nothing_that_it_does_not_need(compose, name):
    service = compose["services"][name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert service["init"] is True
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & set(service)
    assert service["networks"] == ["cluster"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_has_a_limit_of_cpu_and_memory_and_never_swaps(compose, name):
    service = compose["services"][name]
    assert service["cpus"] > 0
    assert service["memswap_limit"] == service["mem_limit"]
    assert 0 < service["pids_limit"] < 10_000


@pytest.mark.parametrize("name", ["dask-worker", "spark-worker"])
def test_a_worker_fits_its_container_with_what_runs_beside_it(compose, name):
    service = compose["services"][name]
    assert "--memory=1 GiB" in service["command"]
    assert size(service["mem_limit"]) >= 1.5 * 2**30


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_loopback_only(compose, name):
    for port in compose["services"][name].get("ports", []):
        assert port.startswith("127.0.0.1:")


@pytest.mark.parametrize("name", ROLES)
def test_each_part_has_a_profile_and_a_check_of_its_health(compose, name):
    service = compose["services"][name]
    assert service["profiles"] == [name.partition("-")[0]]
    probe = service["healthcheck"]
    assert probe["test"][:2] == ["CMD", "enginebench-healthy"]
    (port,) = (word.partition("=")[2] for word in service["command"] if word.startswith("--port="))
    assert f"listening:{port}" in probe["test"]


def test_a_client_waits_for_the_workers_of_the_profiles_given(compose):
    client = compose["services"]["client"]
    assert client["depends_on"] == {
        name: {"condition": "service_healthy", "required": False}
        for name in ("dask-worker", "spark-worker")
    }
    assert client["profiles"] == ["client"]


def test_secrets_are_files_of_a_folder_that_git_ignores(compose, root):
    assert len(compose["secrets"]) == 4
    for secret in compose["secrets"].values():
        assert set(secret) == {"file"}
        assert secret["file"].startswith("./secrets/")
    ignored = (root / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"/docker/secrets/", "/docker/secrets.new/", "/docker/.env"} <= set(ignored)


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_is_given_the_secrets_that_it_names_and_no_others(compose, name):
    service = compose["services"][name]
    given = {secret["target"] for secret in service["secrets"]}
    variables = service.get("environment", {}).values()
    words = [*service["command"], *(value for value in variables if value is not None)]
    named = {word.rpartition("=")[2] for word in words if "/run/secrets/" in word}
    if "/run/secrets/tls" in named:
        named.remove("/run/secrets/tls")
        named |= {f"/run/secrets/tls/{file}.pem" for file in ("ca", "cert", "key")}
    assert given == named
    assert {secret["source"] for secret in service["secrets"]} <= set(compose["secrets"])


def test_all_that_read_prepared_data_have_it_at_one_path_and_only_the_client_writes(compose):
    for name in ("client", "dask-worker", "spark-worker"):
        volumes = {volume["target"]: volume for volume in compose["services"][name]["volumes"]}
        assert volumes["/data"]["source"] == "prepared"
        assert volumes["/data"].get("read_only", False) == (name != "client")
        assert compose["services"]["client"]["environment"]["ENGINEBENCH_STORAGE"] == "/data"


def test_more_workers_stay_for_a_run_and_the_client_has_as_many_cores(compose_with, readme):
    (row,) = (line for line in readme.splitlines() if line.startswith("| more workers |"))
    (told,) = re.findall(r"`export ([^`]*)`", row)
    variables = dict(one.split("=") for one in told.split())
    assert set(variables.values()) == {"4"}
    assert "`--set resources.cores=4`" in row
    services = compose_with(**variables)["services"]
    assert [services[name]["deploy"]["replicas"] for name in WORKERS] == [4, 4]
    assert services["client"]["cpus"] == 4


def test_an_experiment_of_your_own_runs_where_its_paths_begin_and_writes_where_it_may(
    compose, readme
):
    (command,) = (line for line in readme.splitlines() if "--volume " in line)
    words = shlex.split(command)
    mount = words[words.index("--volume") + 1].split(":")
    assert mount[1:] == [words[words.index("--workdir") + 1], "ro"]
    volumes = {volume["target"]: volume for volume in compose["services"]["client"]["volumes"]}
    folder, slash, name = words[words.index("--output") + 1].rpartition("/")
    assert (volumes[folder]["type"], slash, bool(name)) == ("bind", "/", True)
    experiment = words[words.index("run", words.index("enginebench")) + 1]
    assert "/" not in experiment


@pytest.mark.parametrize("name", SERVICES)
def test_keys_of_s3_are_passed_by_name_to_all_that_read_data_and_to_no_others(
    compose, readme, name
):
    given = compose["services"][name].get("environment", {})
    passed = {variable for variable, value in given.items() if value is None}
    assert passed == (KEYS if name in {"client", *WORKERS} else set())
    assert all(variable in readme for variable in passed)
