"""Reads the source with PyAirbyte while the sandbox tells of changes, and prints what came as JSON.

usage: source.py SOURCE CONFIG SANDBOX RECEIVER TOKEN
"""

import json
import sys
import threading
import time
import urllib.request

import airbyte as ab

program, config_file, sandbox, receiver, token = sys.argv[1:]
ADMIN = sandbox + "/_sandbox/socialepoch/"
NUMBER = "8615266667780"
EVENTS = ["profile_changes", "follow_ups", "raw_events"]


def call(path, body=None):
    request = urllib.request.Request(ADMIN + path, data=None if body is None else json.dumps(body).encode())
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def change(first, n):
    for i in range(first, first + n):
        call("change", {"agentAccount": "kubrick101", "whatsApp": NUMBER, "field": "desc", "value": f"remark {i}"})
        call("change", {"agentAccount": "kubrick101", "whatsApp": NUMBER, "follow": f"talk {i}"})


def drain():
    while True:
        totals = call("webhooks")
        if totals["waiting"] == 0 and totals["delivered"] + totals["given_up"] >= totals["items"]:
            return totals
        time.sleep(0.05)


def release():
    """Releases what the receiver holds back: the sandbox may sign two requests within one millisecond, which is suspicious."""
    def ask(path, data=None):
        request = urllib.request.Request(receiver + path, data=data, headers={"Authorization": "Bearer " + token})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    held = ask("/v1/quarantined?after=0&n=1000")
    for record in held:
        ask(f"/v1/records/{record['From']}/release", b"")
    return len(held)


def read(source, cache):
    result = source.read(cache=cache)
    processed.append(result.processed_records)
    return {name: [dict(row) for row in result[name]] for name in source.get_selected_streams()}


def ids(rows):
    return [row["event_id"] for row in rows]


with open(config_file) as f:
    config = json.load(f)
source = ab.get_source("source-sluice", config=config, local_executable=program)
source.check()
streams = source.get_available_streams()
source.select_streams(EVENTS + ["contacts"])
cache = ab.new_local_cache()
processed = []  # records that the source emitted, by read; rows of the cache do not tell, for they merge by their key

change(0, 20)
drain()
first = read(source, cache)

emitting = threading.Thread(target=change, args=(20, 40))
emitting.start()
during = read(source, cache)
emitting.join()
totals = drain()
released = release()
last = read(source, cache)
again = read(source, cache)
source.select_streams(EVENTS)  # of contacts, which have no cursor, every read brings all
read(source, cache)

print(json.dumps({
    "streams": streams,
    "totals": totals,
    "released": released,
    "rows": [{name: len(rows) for name, rows in part.items()} for part in (first, during, last, again)],
    "processed": processed,
    "ids": {name: [len(ids(last[name])), len(set(ids(last[name])))] for name in EVENTS},
    "kept": all(set(ids(first[name])) <= set(ids(during[name])) <= set(ids(last[name])) for name in EVENTS),
    "sample": {name: last[name][-1] for name in ("profile_changes", "follow_ups")},
}, default=str))
