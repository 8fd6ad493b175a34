import os

from flask import Flask

app = Flask(__name__)


@app.get("/")
def greet():
    return {"greeting": os.environ.get("GREETING", "hello from greeter")}


@app.get("/healthz")
def healthz():
    return "ok\n"
