"""Settings for pytest: a data home of its own that disappears, and hashing that does not cost seconds."""

import os
import tempfile
from pathlib import Path

# The first process of a run makes the home; the workers of pytest-xdist inherit it.
if "XUEKA_TEST_HOME" not in os.environ:
    _made = tempfile.TemporaryDirectory(prefix="xueka-test-", ignore_cleanup_errors=True)
    Path(_made.name).chmod(0o711)  # the database server may run as another user
    os.environ["XUEKA_TEST_HOME"] = _made.name
os.environ["XUEKA_HOME"] = os.environ["XUEKA_TEST_HOME"]
os.environ.setdefault("XUEKA_DATABASE_DURABLE", "off")

from xueka.config.settings import *  # noqa: F403

STATIC_ROOT = Path(os.environ["XUEKA_TEST_HOME"]) / "static"  # a fresh checkout has collected nothing yet
STATIC_ROOT.mkdir(exist_ok=True)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
MESSAGE_QUIET = ""  # else what a test sees would depend on the hour at which it runs
