"""Two operators in their browsers: plain HTTP, everything tried again until it is done."""

import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request

from django.db import Error, connection

from tests.support.factors import fresh_code


class Browser:
    """One operator's session. `act` and `page` raise OSError while the other side is down."""

    def __init__(self, address: str, username: str, password: str) -> None:
        self.address, self.username, self.password = address, username, password
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))

    def page(self, path: str) -> str:
        with self.opener.open(self.address + path, timeout=10) as answer:
            if "/login/" in answer.url and "/login/" not in path:
                self._log_in()
                return self.page(path)
            return str(answer.read().decode())

    def post(self, path: str, **fields: str) -> None:
        token = next((cookie.value for cookie in self.jar if cookie.name == "csrftoken"), None)
        if token is None:
            self.page("/")
            return self.post(path, **fields)
        data = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": token}).encode()
        with self.opener.open(self.address + path, data, timeout=60) as answer:
            if "/login/" in answer.url and "/login/" not in path:  # a log-in was cut off half-way
                self._log_in()
                return self.post(path, **fields)
        return None

    def _log_in(self) -> None:
        self.page("/login/")
        self.post("/login/", username=self.username, password=self.password)
        self.post("/login/code/", code=self._code())

    def _code(self) -> str:
        """She looks at her telephone. OSError, like every page, while the database is down."""
        try:
            return fresh_code(self.username)
        except Error as error:
            raise OSError("no database") from error
        finally:
            connection.close()  # she may be clicking in a thread of her own
