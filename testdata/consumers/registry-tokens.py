#!/usr/bin/env -S python3 -B
"""Gives tokens for docker-registry: `registry-tokens.py CERTIFICATE KEY USER:PASSWORD`.

Listens on a free port of 127.0.0.1, which it prints, until it is killed. Who has the password may do what is asked for;
anybody else may pull. Wrong credentials are refused. Tokens are JSON Web Tokens, signed by openssl with the key.
"""

import base64
import http.server
import json
import secrets
import subprocess
import sys
import time
import urllib.parse

certificate, key, login = sys.argv[1:]
LIFETIME = 300
der = subprocess.run(["openssl", "x509", "-in", certificate, "-outform", "DER"], stdout=subprocess.PIPE, check=True).stdout


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(service, access):
    now = int(time.time())
    header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
    claims = {"iss": "bake-test", "aud": service, "sub": "test", "nbf": now - 10, "iat": now, "exp": now + LIFETIME}
    claims |= {"jti": secrets.token_hex(8), "access": access}
    message = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
    command = ["openssl", "dgst", "-sha256", "-sign", key]
    signature = subprocess.run(command, input=message.encode(), stdout=subprocess.PIPE, check=True).stdout
    return f"{message}.{encoded(signature)}"


class Service(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        credential = self.headers.get("Authorization")
        expected = "Basic " + base64.b64encode(login.encode()).decode()
        if credential not in (None, expected):
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        access = []
        for scope in " ".join(query.get("scope", [])).split():
            kind, rest = scope.split(":", 1)
            name, actions = rest.rsplit(":", 1)
            wanted = actions.split(",")
            access.append({"type": kind, "name": name, "actions": wanted if credential else [a for a in wanted if a == "pull"]})
        given = {"token": token(query.get("service", ["test"])[0], access), "expires_in": LIFETIME}
        body = json.dumps(given).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
print(server.server_port, flush=True)
server.serve_forever()
