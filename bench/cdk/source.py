"""A source by Airbyte's Python kit, for `make bench`: profile changes out of an inbox, the rows that source-sluice gives.

It reads the store as a program in Python would, checks no sums, and knows one kind of item.
"""

import json
import sqlite3
import struct
import sys
from datetime import datetime, timedelta, timezone

from airbyte_cdk import launch
from airbyte_cdk.models import ConnectorSpecification, SyncMode
from airbyte_cdk.sources import AbstractSource
from airbyte_cdk.sources.streams import Stream

ZONE = timezone(timedelta(hours=8))
VALUE_TYPES = [None, "text", "lines", "single", "multi", "number", "date", "time", "attachment"]


def uvarint(data, at):
    value, shift = 0, 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def unframe(data):
    """Returns when a request came, and its body."""
    received, _, items = struct.unpack_from("<QQI", data, 10)
    at = 30 + (items + 7) // 8 + (16 * items if data[5] & 5 else 0)
    for _ in range(3):
        size, at = uvarint(data, at)
        at += size
    headers, at = uvarint(data, at)
    for _ in range(2 * headers):
        size, at = uvarint(data, at)
        at += size
    return received, data[at:]


def rfc3339(nanos):
    seconds, rest = divmod(nanos, 1_000_000_000)
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest // 1_000_000:03d}Z"


class ProfileChanges(Stream):
    name = "profile_changes"
    primary_key = "event_id"

    def __init__(self, path, limit):
        self.path, self.limit = path, limit

    def get_json_schema(self):
        return {"type": "object", "properties": {}}

    def read_records(self, sync_mode=SyncMode.full_refresh, cursor_field=None, stream_slice=None, stream_state=None):
        left = self.limit
        db = sqlite3.connect(f"file:{self.path}/inbox.db?mode=ro", uri=True)
        for sequence, frame in db.execute("SELECT seq, data FROM record ORDER BY seq"):
            nanos, body = unframe(frame)
            received = rfc3339(nanos)
            request = json.loads(body)
            for i, item in enumerate(request["data"]):
                if left == 0:
                    return
                left -= 1
                changed = datetime.strptime(item["updateAt"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZONE)
                yield {
                    "event_id": item["id"],
                    "seq": sequence * 65536 + i,
                    "received_at": received,
                    "occurred_at": changed.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                    "vendor": "socialepoch",
                    "tenant_id": str(request["tenantId"]),
                    "change_type": item["type"],
                    "agent": item["userName"],
                    "whatsapp": item["friendWhatsId"],
                    "field": "remark",
                    "field_type": "basic",
                    "value_type": VALUE_TYPES[item["fieldConfig"]],
                    "old_value": item["sourceValue"],
                    "new_value": item["targetValue"],
                    "remark": item["targetValue"],
                    "raw": item,
                }


class Source(AbstractSource):
    def check_connection(self, logger, config):
        return True, None

    def streams(self, config):
        return [ProfileChanges(config["inbox"]["path"], config["limit"])]

    def spec(self, logger):
        return ConnectorSpecification(connectionSpecification={"type": "object", "properties": {}})


if __name__ == "__main__":
    launch(Source(), sys.argv[1:])
