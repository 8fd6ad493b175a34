"""`/?measures=5.1,3.5,1.4,0.2` answers with the kind of iris that has such flowers."""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy
from ai_edge_litert.interpreter import Interpreter

KINDS = ["setosa", "versicolor", "virginica"]


class Model:
    def __init__(self, path):
        self.interpreter = Interpreter(model_path=path, num_threads=1)
        self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]["index"]
        self.output = self.interpreter.get_output_details()[0]["index"]

    def classify(self, measures):
        self.interpreter.set_tensor(self.input, numpy.asarray([measures], dtype=numpy.float32))
        self.interpreter.invoke()
        chances = self.interpreter.get_tensor(self.output)[0]
        best = int(chances.argmax())
        return {"kind": KINDS[best], "chance": round(float(chances[best]), 3)}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        measures = parse_qs(urlsplit(self.path).query).get("measures", ["5.1,3.5,1.4,0.2"])[0]
        try:
            status, answer = 200, self.server.model.classify([float(one) for one in measures.split(",")])
        except ValueError as problem:
            status, answer = 400, {"error": str(problem)}
        body = json.dumps(answer).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler)
    server.model = Model(os.environ.get("MODEL", "/model/iris.tflite"))
    server.serve_forever()


if __name__ == "__main__":
    main()
