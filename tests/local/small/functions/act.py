"""Does what the event says: answers, fails, crashes or oversleeps."""

import os
import time


class TryAgain(Exception):
    """A second attempt might do."""


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
        case "say":
            print("said aloud")
    return {"did": event.get("do"), "started": event.get("started"), "pid": os.getpid()}
