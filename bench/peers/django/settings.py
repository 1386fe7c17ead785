"""The database is that of BENCH_DATABASE_URL."""
import os
from urllib.parse import unquote, urlparse

url = urlparse(os.environ["BENCH_DATABASE_URL"])
SECRET_KEY = "bench"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["avatars"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": url.hostname,
        "PORT": url.port,
        "NAME": url.path[1:],
        "USER": unquote(url.username),
        "PASSWORD": unquote(url.password or ""),
    }
}
