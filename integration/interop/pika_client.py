"""Debian's python3-pika without instrumentation: `MQTRACE_AMQP_URL=… python3 pika_client.py`.

A line of JSON on standard input is a command, answered by a line of JSON.
"""

import json
import os
import sys

import pika


def typed(headers):
    seen = {}
    for name, value in (headers or {}).items():
        text = value.decode("utf-8") if isinstance(value, bytes) else str(value)
        seen[name] = {"type": type(value).__name__, "value": text}
    return seen


def publish(channel, command):
    headers = dict(command["headers"])
    if command.get("bytes"):
        headers = {name: value.encode("utf-8") for name, value in headers.items()}
    channel.basic_publish("", command["queue"], b"order", pika.BasicProperties(headers=headers))
    return {}


def consume(channel, command):
    for method, properties, body in channel.consume(command["queue"], inactivity_timeout=20):
        if method is None:
            break
        channel.basic_ack(method.delivery_tag)
        channel.cancel()
        return {"headers": typed(properties.headers), "body": body.decode("utf-8")}
    raise TimeoutError("nothing came for 20 s")


def main():
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["MQTRACE_AMQP_URL"]))
    channel = connection.channel()
    commands = {"publish": publish, "consume": consume}
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = commands[command["op"]](channel, command)
        except Exception as err:  # reported to the test, whatever it is
            answer = {"error": repr(err)}
        print(json.dumps(answer), flush=True)
    connection.close()


main()
