"""Counts the words of files, or of what is posted over HTTP."""

import argparse
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tally import count


def report(text: str) -> str:
    """Lists words by how often they occur, then by the alphabet."""
    words = sorted(count(text).items(), key=lambda item: (-item[1], item[0]))
    return "".join(f"{number} {word}\n" for word, number in words)


class Handler(BaseHTTPRequestHandler):
    """Answers a posted text with its words."""

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = report(self.rfile.read(length).decode("utf-8", "replace")).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> int:
    parser = argparse.ArgumentParser(prog="tally", description=__doc__)
    parser.add_argument("files", nargs="*", help="what to count; standard input if there is none")
    parser.add_argument("--serve", type=int, metavar="PORT", help="answer on this port of 127.0.0.1")
    options = parser.parse_args()
    if options.serve is not None:
        ThreadingHTTPServer(("127.0.0.1", options.serve), Handler).serve_forever()
    if options.files:
        for name in options.files:
            with open(name, encoding="utf-8") as file:
                sys.stdout.write(report(file.read()))
    else:
        sys.stdout.write(report(sys.stdin.read()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
