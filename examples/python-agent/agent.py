"""Receives Countersign's callbacks in Python, verified by the standardwebhooks package from PyPI.

It acts exactly once per approval: the journal's line is forced to the disk before the call is answered, and read again at start.
It ignores replays, and turns away what is unsigned, altered or stale.

    python -m venv .venv && .venv/bin/pip install -r requirements.txt
    COUNTERSIGN_SECRET=whsec_... .venv/bin/python agent.py
"""

import json
import os
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

BODY_MAX = 512 * 1024


class Journal:
    """One line per step, durable before it counts. A line torn by a crash had not counted."""

    def __init__(self, path):
        self.lock = threading.Lock()
        self.acted = set()
        whole = 0
        if os.path.exists(path):
            with open(path, "rb") as file:
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    whole += len(line)
                    entry = json.loads(line)
                    if entry["type"] == "acted":
                        self.acted.add(entry["approvalId"])
            os.truncate(path, whole)
        self.file = open(path, "ab")

    def append(self, **entry):
        self.file.write(json.dumps(entry).encode() + b"\n")
        self.file.flush()
        os.fsync(self.file.fileno())

    def act_once(self, message_id, approval_id, outcome):
        with self.lock:
            if approval_id in self.acted:
                self.append(type="replayed", messageId=message_id, approvalId=approval_id)
                return "replayed"
            self.append(type="acted", messageId=message_id, approvalId=approval_id, outcome=outcome)
            self.acted.add(approval_id)
            return "acted"

    def turned_away(self, why):
        with self.lock:
            self.append(type="turned_away", why=why)


def open_callback(secrets, body, headers):
    """The result in a genuine callback, None where it is about something else; raises WebhookVerificationError otherwise."""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    # The library takes any number for a time, and a dot in the id moves the border of what is signed.
    if not re.fullmatch(r"[0-9]{1,12}", timestamp) or not re.fullmatch(r"[A-Za-z0-9_-]+", message_id):
        raise WebhookVerificationError("Malformed or missing headers")
    why = "No secret"
    for secret in secrets:
        try:
            message = Webhook(secret).verify(body, headers)
            # A question to the agent, and types that come later: genuine, and nothing to act on here.
            return message_id, message["data"] if message["type"] == "approval.ended" else None
        # The library lets some malformed signatures and bodies end in other exceptions: none of them is genuine.
        except (WebhookVerificationError, ValueError, KeyError, TypeError) as error:
            why = str(error)
    raise WebhookVerificationError(why)


def handler(secrets, journal):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            try:
                length = int(self.headers.get("content-length", ""))
            except ValueError:
                length = -1
            if not 0 <= length <= BODY_MAX:
                self.close_connection = True
                return self.reply(413, "refused")
            body = self.rfile.read(length)
            try:
                message_id, result = open_callback(secrets, body, {name.lower(): value for name, value in self.headers.items()})
                if result is None:
                    return self.reply(200, "ignored")
                approval_id, outcome = result["approvalId"], result["outcome"]
            except (WebhookVerificationError, KeyError, TypeError) as error:
                journal.turned_away(str(error))
                return self.reply(401, "refused")
            return self.reply(200, journal.act_once(message_id, approval_id, outcome))

        def reply(self, status, what):
            body = json.dumps({what: True}).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler


def main():
    secrets = os.environ.get("COUNTERSIGN_SECRET", "").split()
    if not secrets:
        sys.exit("Set COUNTERSIGN_SECRET to the agent's callback secret (whsec_...).")
    journal = Journal(os.environ.get("AGENT_JOURNAL", "python-agent-journal.jsonl"))
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("AGENT_PORT", "0"))), handler(secrets, journal))
    print(json.dumps({"type": "listening", "url": f"http://127.0.0.1:{server.server_address[1]}/callback"}), flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
