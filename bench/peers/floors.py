"""nginx and HAProxy: proxies that know nothing of models, as floors to stand on."""
from __future__ import annotations

import re
import shutil
import subprocess

from bench.peers.place import CannotRun, Place
from bench.peers.recipe import Recipe, Started

NGINX = """
worker_processes 1; daemon off; pid {run}/nginx.pid; error_log {run}/error.log;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 100000000; client_max_body_size 64m; client_body_buffer_size 1m;
  client_body_temp_path {run}/body; proxy_temp_path {run}/proxy;
  upstream provider {{ server {upstream}; keepalive 512; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{port}; location / {{
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Authorization "Bearer sk-upstream"; proxy_buffering off;
    proxy_pass http://provider; }} }}
}}
"""
HAPROXY = """
global
  nbthread 1
  maxconn 8192
defaults
  mode http
  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 600s
  timeout server 600s
frontend callers
  bind 127.0.0.1:{port}
  http-request set-header Authorization "Bearer sk-upstream"
  default_backend provider
backend provider
  server mock {upstream} pool-max-conn 512
"""
NO_KEYS = "it knows no keys, budgets or records"
HAPROXY_PACKAGES = ("haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1")


def said_version(command: list[str], pattern: str, **environment: str) -> str:
    """The version that a program prints."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment or None, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotRun(f"{command[0]}: {error}") from None
    match = re.search(pattern, done.stdout + done.stderr)
    if match is None:
        raise CannotRun(f"{command[0]} does not tell its version: {(done.stdout + done.stderr).strip()[-200:]}")
    return match[1]


def prepare_nginx(place: Place) -> str:
    if shutil.which("nginx") is None:
        raise CannotRun("nginx is missing; on Debian and Ubuntu: apt-get install nginx-light")
    return said_version(["nginx", "-v"], r"nginx/(\S+)")


def start_nginx(place: Place, lane: str) -> Started:
    address = place.upstream.removeprefix("http://")
    config = place.write("nginx.conf", NGINX.format(run=place.run, upstream=address, port=place.port))
    pid = place.spawn(["nginx", "-p", str(place.run), "-c", str(config)])
    place.await_http("/")
    return Started(place.url, (pid,))


def haproxy(place: Place) -> tuple[str, dict[str, str]]:
    """(program, environment): the system's, else what was unpacked from Debian's packages into the folder."""
    if found := shutil.which("haproxy"):
        return found, {}
    libraries = next((str(path.parent) for path in place.folder.rglob("liblua5.3.so.0")), "")
    return str(place.folder / "usr/sbin/haproxy"), {"LD_LIBRARY_PATH": libraries}


def prepare_haproxy(place: Place) -> str:
    if shutil.which("haproxy") is None:
        place.install(
            ["apt-get", "download", "-q", *HAPROXY_PACKAGES], ["sh", "-ec", 'for package in *.deb; do dpkg -x "$package" .; done'])
    program, environment = haproxy(place)
    return said_version([program, "-v"], r"version (\S+)", **environment)


def start_haproxy(place: Place, lane: str) -> Started:
    config = place.write("haproxy.cfg", HAPROXY.format(upstream=place.upstream.removeprefix("http://"), port=place.port))
    program, environment = haproxy(place)
    pid = place.spawn([program, "-f", str(config)], **environment)
    place.await_http("/")
    return Started(place.url, (pid,))


FLOORS = (
    Recipe(
        name="nginx", source="Debian, nginx-light",
        setup="one worker, keep-alive on both sides, bodies in memory, proxy_buffering off as streams need it, no access log",
        lanes={"bare": "passes bytes on, sets the provider's key"},
        lacks={"governed": NO_KEYS}, unequal="a floor: reads no JSON, counts nothing",
        prepare=prepare_nginx, start=start_nginx),
    Recipe(
        name="haproxy", source="Debian, haproxy",
        setup="one thread, keep-alive on both sides, http-reuse always, no log",
        lanes={"bare": "passes bytes on, sets the provider's key"},
        lacks={"governed": NO_KEYS}, unequal="a floor: reads no JSON, counts nothing",
        prepare=prepare_haproxy, start=start_haproxy),
)
