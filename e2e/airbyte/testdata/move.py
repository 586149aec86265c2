"""Moves streams from the source into the destination with PyAirbyte, message by message.

usage: move.py SOURCE SOURCE_CONFIG DESTINATION DESTINATION_CONFIG STREAM…
"""

import json
import sys

import airbyte as ab

source_program, source_config, destination_program, destination_config, *streams = sys.argv[1:]


def load(path):
    with open(path) as f:
        return json.load(f)


source = ab.get_source("source-sluice", config=load(source_config), local_executable=source_program)
source.check()
source.select_streams(streams)
destination = ab.get_destination("destination-sluice", config=load(destination_config), local_executable=destination_program)
destination.check()
result = destination.write(source, cache=False, state_cache=False)
print(json.dumps({"processed": result.processed_records}))
