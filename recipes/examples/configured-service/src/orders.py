#!/usr/bin/python3
"""An HTTP service that says how it is configured, without saying any secret."""

import configparser
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def settings():
    """Reads what the environment, the files and the secret's file say."""
    conf = configparser.ConfigParser(interpolation=None)
    conf.read("/etc/orders/orders.conf")
    cluster = {}
    if os.path.exists("/etc/orders/cluster.json"):
        with open("/etc/orders/cluster.json", encoding="utf-8") as file:
            cluster = json.load(file)
    secret = os.environ.get("ORDERS_DATABASE_PASSWORD_FILE")
    if secret is None or "ORDERS_DATABASE_URL" not in os.environ:
        sys.exit("orders is not configured: ORDERS_DATABASE_URL and ORDERS_DATABASE_PASSWORD_FILE are not set")
    with open(secret, encoding="utf-8") as file:
        password = file.read()
    return {
        "database": os.environ["ORDERS_DATABASE_URL"],
        "password-length": len(password),
        "level": conf.get("log", "level", fallback="info"),
        "cluster": cluster,
    }


class Handler(BaseHTTPRequestHandler):
    """Answers /health."""

    def do_GET(self):
        found = self.path == "/health"
        body = json.dumps(FOUND if found else {}).encode() + b"\n"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


FOUND = settings()
ThreadingHTTPServer(("", int(os.environ.get("ORDERS_LISTEN_PORT", "8090"))), Handler).serve_forever()
