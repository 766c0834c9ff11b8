"""Visitors who send a byte now and then do not keep everybody out."""

import contextlib
import http.client
import socket
import subprocess
import sys
import threading

SERVER = """
import sys
from xueka.config import web

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]

class Small(web._Web):
    def load(self):
        return application

web.HEAD_SECONDS = 1.0
options = {"bind": [f"fd://{sys.argv[1]}"], "workers": 1, "worker_class": web.Worker, "threads": 2}
Small({**options, "control_socket_disable": True, "loglevel": "warning"}).run()
"""


def test_who_never_ends_the_head_of_a_request_is_hung_up_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door, contextlib.ExitStack() as stack:
        port, number = door.getsockname()[1], door.fileno()
        served = subprocess.Popen([sys.executable, "-c", SERVER, str(number)], pass_fds=[number])
        stack.callback(served.wait)
        stack.callback(served.terminate)
        stop = threading.Event()
        stack.callback(stop.set)
        visitors = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60)) for _ in range(4)
        ]
        for each in visitors:
            each.sendall(b"GET / HTTP/1.1\r\nX: ")

        def drip() -> None:
            while not stop.wait(0.2):
                for each in visitors:
                    with contextlib.suppress(OSError):
                        each.sendall(b"x")

        threading.Thread(target=drip, daemon=True).start()
        asking = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        asking.request("GET", "/")
        assert asking.getresponse().read() == b"ok"
        stop.set()
        assert visitors[0].recv(10) in (b"",)
        asking.close()
