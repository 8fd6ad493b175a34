"""Applications on other people's packages from PyPI, built unconfigured, answer as nobody from a read-only root and end when they are asked to.

WHITTLE_FULL=1 runs all of them; otherwise one.
"""

import os
import signal
import time
import urllib.request

from support.case import WhittleTestCase
from test_pipeline import port_for_us_alone

FULL = bool(os.environ.get("WHITTLE_FULL"))

STARLETTE = """from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def index(request):
    return PlainTextResponse("starlette")


app = Starlette(routes=[Route("/", index)])
"""
AIOHTTP = """from aiohttp import web


async def index(request):
    return web.Response(text="aiohttp")


if __name__ == "__main__":
    app = web.Application()
    app.add_routes([web.get("/", index)])
    web.run_app(app, port=8000)
"""
TORNADO = """import asyncio

import tornado.web


class Index(tornado.web.RequestHandler):
    def get(self):
        self.write("tornado")


async def main():
    tornado.web.Application([("/", Index)]).listen(8000)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
"""
DJANGO = {
    "requirements.txt": "django==5.1.1\ngunicorn==23.0.0\n",
    "manage.py": "",
    "site1/__init__.py": "",
    "site1/wsgi.py": "import os\n\nfrom django.core.wsgi import get_wsgi_application\n\n"
    "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site1.settings')\napplication = get_wsgi_application()\n",
    "site1/settings.py": "SECRET_KEY = 'x'\nALLOWED_HOSTS = ['*']\nROOT_URLCONF = 'site1.urls'\nUSE_TZ = True\nTIME_ZONE = 'Asia/Tokyo'\n"
    "INSTALLED_APPS = ['django.contrib.contenttypes', 'django.contrib.auth']\n",
    "site1/urls.py": "from django.http import HttpResponse\nfrom django.urls import path\nfrom django.utils import timezone\n\n"
    "urlpatterns = [path('', lambda request: HttpResponse('django ' + timezone.localtime().tzname()))]\n",
}
APPLICATIONS = {
    "fastapi": (
        {
            "requirements.txt": "fastapi==0.115.0\nuvicorn==0.30.6\n",
            "main.py": "from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get('/')\ndef index():\n    return 'fastapi'\n",
        },
        "/",
        '"fastapi"',
    ),
    "django": (DJANGO, "/", "django JST"),
    "aiohttp": ({"requirements.txt": "aiohttp==3.10.5\n", "main.py": AIOHTTP}, "/", "aiohttp"),
    "bottle": (
        {
            "requirements.txt": "bottle==0.13.1\nwaitress==3.0.0\n",
            "app.py": "from bottle import Bottle\n\napp = Bottle()\n\n\n@app.get('/')\ndef index():\n    return 'bottle'\n",
        },
        "/",
        "bottle",
    ),
    "starlette": ({"requirements.txt": "starlette==0.38.5\nhypercorn==0.17.3\n", "app.py": STARLETTE}, "/", "starlette"),
    "tornado": ({"requirements.txt": "tornado==6.4.1\n", "main.py": TORNADO}, "/", "tornado"),
}


class PythonApplications(WhittleTestCase):
    shared_cache = True

    def ask(self, name):
        files, path, expected = APPLICATIONS[name]
        built = self.build(self.write_tree(name, files))
        self.whittle("check", built.reference)
        with port_for_us_alone(8000):
            process = self.start_whittle("run", built.reference)
            try:
                body = self.body_of(f"http://127.0.0.1:8000{path}", process)
            finally:
                asked = time.monotonic()
                process.send_signal(signal.SIGTERM)
                result = self.finish(process, expect=None, timeout=30)
        self.assertIsNotNone(body, f"no answer\n{result}")
        self.assertIn(expected, body)
        self.assertLess(time.monotonic() - asked, 4, "it did not end when it was asked to")

    def body_of(self, url, process):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    return answer.read().decode(errors="replace")
            except OSError:
                time.sleep(0.05)
        return None


def add_tests():
    for name in APPLICATIONS if FULL else ["bottle"]:
        setattr(PythonApplications, f"test_{name}", lambda self, name=name: self.ask(name))


add_tests()
