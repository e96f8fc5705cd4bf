"""Does what the event says: answers, fails, crashes or times out."""

import json
import os
import time


class TryAgain(Exception):
    """A transient error."""


def handler(event, context):
    match event.get("do"):
        case "fail":
            raise TryAgain("not today")
        case "crash":
            os._exit(7)
        case "oversleep":
            time.sleep(30)
        case "environment":
            return dict(os.environ)
        case "measure":
            metrics = [{"Namespace": "Small", "Dimensions": [["service"]], "Metrics": [{"Name": "Said"}]}]
            print(json.dumps({"_aws": {"Timestamp": 0, "CloudWatchMetrics": metrics}, "service": "small", "Said": [1, 2]}))
        case "say":
            print("said aloud")
    return {"did": event.get("do"), "started": event.get("started"), "pid": os.getpid()}
