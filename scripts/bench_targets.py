"""The processes that scripts/bench_overhead.py compares: how each is configured, started and ended,
and how its CPU time and memory are read. What is sent to them is left to that script.

Standard library only. Peers are installed from their Python packages, each into a virtual environment
of its own below target/bench-venv.
"""

import hashlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEY = "sg-bench-overhead-key-of-no-value"
PACKAGES = {
    "litellm": "litellm[proxy]==1.106.2",
    "tensorzero": "tensorzero==2026.6.0",
    "switchyard": "nemo-switchyard==0.3.0",
}

# What callers name, and the fake provider's model behind it. A token of its answers has three to four
# bytes; no name has any think time.
MODELS = {
    "json": "fake-small~ttft=0~rate=0~tokens=190",
    "big": "fake-frontier~ttft=0~rate=0~tokens=190",
    "paced": "fake-small~ttft=0~rate=500~tokens=200",
    "long": "fake-small~ttft=0~rate=1000~tokens=2000",
    "fast": "fake-small~ttft=0~rate=0~tokens=200",
    # Some 50 events when a hit is sent as a stream, in pieces of 20 to 40 characters.
    "fifty": "fake-small~ttft=0~rate=0~tokens=310",
    "held": "fake-small~ttft=0~rate=0~tokens=50~stall=5",
}


class Failed(Exception):
    """A sentence for whoever runs the benchmark."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Target:
    """A running process that answers chat requests."""

    def __init__(self, name, command, work, path="/v1/chat/completions", key=None, model="{}", env=None):
        self.name, self.path, self.key, self.model = name, path, key, model
        self.log = work / f"{name}.log"
        self.begun = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}, cwd=work,
                start_new_session=True)
        self.address = None

    def wait(self, pattern, seconds=120):
        """Waits for a line of its output; the pattern's group is host:port."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = re.search(pattern, self.log.read_text(errors="replace"))
            if found:
                self.address = found[1]
                return self
            self.check_alive()
            time.sleep(0.05)
        self.stop()
        raise Failed(f"{self.name} did not become ready; it said:\n{self.tail()}")

    def wait_http(self, port, path, seconds=180):
        """Waits until it answers there."""
        self.address = f"127.0.0.1:{port}"
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(f"http://{self.address}{path}", timeout=5).read()
                return self
            except OSError:
                self.check_alive()
                time.sleep(0.25)
        self.stop()
        raise Failed(f"{self.name} does not answer; it said:\n{self.tail()}")

    def check_alive(self):
        if self.process.poll() is not None:
            raise Failed(f"{self.name} ended with {self.process.returncode}:\n{self.tail()}")

    def tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])

    def upstream(self, model):
        """How this target's callers name a model."""
        return MODELS[model] if self.model == "upstream" else self.model.format(model)

    def pids(self):
        """The process and all its descendants."""
        children = {}
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            todo += children.get(pid, [])
        return found

    def cpu(self):
        """User and system time of all its threads, in seconds."""
        self.check_alive()
        return sum(cpu_of(pid) for pid in self.pids())

    def rss(self):
        """Resident memory in bytes."""
        total = 0
        for pid in self.pids():
            try:
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.M)
            total += int(found[1]) * 1024 if found else 0
        return total

    def stop(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                os.killpg(self.process.pid, number)
                try:
                    self.process.wait(5)
                except subprocess.TimeoutExpired:
                    continue


def cpu_of(pid):
    """The process CPU clock, as clock_getcpuclockid(3) names it: nanoseconds, where /proc/PID/stat has
    ticks of 10 ms. A process that has gone since counts nothing."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        pass
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0


def fake_provider(binary, work):
    target = Target("direct", [binary, "--listen", "127.0.0.1:0"], work, model="upstream")
    return target.wait(r"ready http://([0-9.:]+)/v1")


def received(provider):
    """How many requests the provider had since this was last asked."""
    request = urllib.request.Request(f"http://{provider.address}/journal", method="DELETE")
    return json.load(urllib.request.urlopen(request, timeout=10))["received"]


def semgate_config(provider, work, name, model, listen="127.0.0.1:0"):
    """Keys, metrics, record and exact cache on; `model`: the embedding model, too."""
    models = "\n".join(
        f"  - {{name: {called}, provider: fake, id: \"{upstream}\", price: {{input: 0.15, output: 0.60}}}}"
        for called, upstream in MODELS.items())
    config = work / f"{name}.yaml"
    config.write_text(f"""
server: {{listen: "{listen}", admin_listen: "127.0.0.1:0"}}
embedder: {"{threads: 1, timeout: 20s}" if model else "off"}
providers:
  - {{name: fake, base_url: "http://{provider.address}/v1"}}
models:
{models}
routing:
  tiers:
    - {{name: small, models: [json], min_adequacy: 0.66}}
    - {{name: frontier, models: [big]}}
keys:
  - {{name: bench, tenant: bench, hash: "sha256:{hashlib.sha256(KEY.encode()).hexdigest()}"}}
telemetry:
  record: {{path: "{work / name}.jsonl"}}
""")
    return config


def semgate(binary, provider, work, name="semgate", model=False):
    """`model`: with the embedding model, so that the semantic level and the router work."""
    config = semgate_config(provider, work, name, model)
    env = {"XDG_STATE_HOME": str(work / "state"), "XDG_CACHE_HOME": str(work / "cache")}
    env["SEMGATE_MODELS"] = os.environ.get("SEMGATE_MODELS", str(ROOT / "models"))
    target = Target(name, [binary, "serve", "--config", config], work, key=KEY, env=env)
    return target.wait(r"semgate ready data=http://([0-9.:]+)")


def first_connection_ms(binary, provider, work):
    """Milliseconds from the start of a process without a model to the first accepted connection."""
    port = free_port()
    config = semgate_config(provider, work, "start", False, f"127.0.0.1:{port}")
    env = {"XDG_STATE_HOME": str(work / "state"), "XDG_CACHE_HOME": str(work / "cache")}
    target = Target("start", [binary, "serve", "--config", config], work, env=env)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return (time.monotonic() - target.begun) * 1e3
            except OSError:
                target.check_alive()
                time.sleep(0.001)
    finally:
        target.stop()


def python_of(name):
    """The interpreter of a peer's environment, made and filled if it is not there."""
    home = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "bench-venv" / name
    python, mark = home / "bin" / "python", home / "installed"
    if not mark.exists() or mark.read_text() != PACKAGES[name]:
        print(f"installing {PACKAGES[name]}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGES[name]],
                       check=True)
        mark.write_text(PACKAGES[name])
    return python


def litellm(provider, work):
    """Its proxy with one worker, one key and everything optional off."""
    models = [{"model_name": name, "litellm_params": {
        "model": f"openai/{upstream}", "api_base": f"http://{provider.address}/v1", "api_key": "none"}}
        for name, upstream in MODELS.items()]
    config = work / "litellm.json"
    config.write_text(json.dumps({"model_list": models, "litellm_settings": {"telemetry": False}}))
    port = free_port()
    command = [python_of("litellm").parent / "litellm", "--config", config, "--host", "127.0.0.1", "--port",
               str(port), "--num_workers", "1"]
    key = "sk-" + hashlib.sha256(KEY.encode()).hexdigest()
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MASTER_KEY": key}
    return Target("litellm", command, work, key=key, env=env).wait_http(port, "/health/liveliness")


TENSORZERO = """
import sys, signal
from tensorzero.tensorzero import _start_http_gateway
gateway = _start_http_gateway(config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=None,
                              async_setup=False)
print("ready", gateway.base_url, flush=True)
signal.pause()
"""


def tensorzero(provider, work):
    """Its Rust gateway, embedded in Python as the package has it; observability off."""
    config = work / "tensorzero.toml"
    blocks = ["[gateway]\nobservability.enabled = false\n"]
    for name, upstream in MODELS.items():
        blocks.append(f'[models.{name}]\nrouting = ["fake"]\n[models.{name}.providers.fake]\ntype = "openai"\n'
                      f'model_name = "{upstream}"\napi_base = "http://{provider.address}/v1/"\n'
                      'api_key_location = "none"\n')
    config.write_text("\n".join(blocks))
    target = Target("tensorzero", [python_of("tensorzero"), "-c", TENSORZERO, config], work,
                    path="/openai/v1/chat/completions", model="tensorzero::model_name::{}")
    return target.wait(r"ready http://([0-9.:]+)")


SWITCHYARD = """
import sys, signal
from switchyard_rust.server import Server
server = Server(sys.argv[1], 0)
print("ready", server.base_url, flush=True)
signal.pause()
"""


def switchyard(provider, work):
    """Its server with one pass-through route for each model."""
    config = work / "switchyard.toml"
    blocks = ['schema_version = 1\n[llm_clients.fake]\nformat = "openai_chat"\n'
              f'base_url = "http://{provider.address}/v1"\n']
    for name, upstream in MODELS.items():
        blocks.append(f'[targets.{name}]\nid = "{upstream}"\nllm_client = "fake"\n'
                      f'[routes.{name}]\nid = "{name}"\ntype = "passthrough"\ntarget = "{name}"\n')
    config.write_text("\n".join(blocks))
    target = Target("switchyard", [python_of("switchyard"), "-c", SWITCHYARD, config], work)
    return target.wait(r"ready http://([0-9.:]+)")


PEERS = {"litellm": litellm, "tensorzero": tensorzero, "switchyard": switchyard}
