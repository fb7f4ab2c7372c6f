#!/usr/bin/python3
"""A Maya of a few lines for working on the page: the endpoints and events of the real one, a
bartender who knows little English, and faults on request.

    fake_maya.py --port 8000                         serve web/ and the API
    fake_maya.py --port 8000 --pace 0.05             words come slowly
    fake_maya.py --port 8000 --fault cut --fault full    the first answer is cut, the next is 503

The faults are those of unruly.py, which stands in front of it.
"""
import argparse
import json
import pathlib
import re
import secrets
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WEB = pathlib.Path(__file__).resolve().parents[2] / "web"
POLICY = "default-src 'self'"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
GREETING = "Good evening, and welcome to MOK 5-ha. I'm Maya. What can I get you?"

MENU = {
    "Cocktails": {"Daiquiri": 10, "Martini": 13, "Long Island": 12, "Old Fashioned": 12,
                  "Negroni": 11, "Cosmopolitan": 12, "Manhattan": 12},
    "Beer": {"Tap Beer": 5, "Classic Brew": 5, "IPA": 6},
    "Spirits": {"Whiskey": 8, "Vodka": 7, "Rum": 7, "Gin": 8, "Tequila": 8, "Brandy": 9},
    "Non-alcoholic": {"Water": 1, "Iced Tea": 2, "Lemonade": 2, "Soda": 3},
}
ABOUT = {
    "Daiquiri": "Rum, lime, a little sugar", "Martini": "Gin and dry vermouth",
    "Negroni": "Gin, Campari, sweet vermouth", "Old Fashioned": "Whiskey, bitters, orange",
    "Spirits": "Neat or on the rocks",
}
PRICES = {name: price for items in MENU.values() for name, price in items.items()}
NUMBERS = {"two": 2, "three": 3, "four": 4}


class Session:
    def __init__(self, sid):
        self.sid = sid
        self.lock = threading.RLock()
        self.turns = {}
        self.clear()

    def clear(self):
        self.history, self.order = [], []
        self.tab = self.tip = 0.0
        self.balance, self.percent = 1000.0, None

    def summary(self):
        return {"tab_amount": self.tab, "balance": self.balance,
                "tip_percentage": self.percent, "tip_amount": self.tip}

    def set_tip(self, percent):
        self.percent = percent
        self.tip = round(self.tab * (percent or 0) / 100, 2)

    def add(self, name, quantity, modifiers):
        price = float(PRICES[name] * quantity)
        self.order.append({"name": name, "price": price, "modifiers": modifiers,
                           "quantity": quantity})
        self.tab += price
        self.balance -= price
        self.set_tip(self.percent)
        many = f"{quantity} " if quantity > 1 else "One "
        return f"{many}{name}, {modifiers}, coming right up." if modifiers != "no modifiers" \
            else f"{many}{name}, coming right up."

    def answer(self, text):
        low = text.lower()
        if "say markup" in low:
            return "<img src=x onerror=\"window.pwned=1\"> <script>window.pwned=1</script> & <b>bold</b>"
        if "tell me a story" in low:
            return " ".join(f"Line {n} of a long evening at the bar." for n in range(1, 61))
        if re.search(r"\b(pay|settle)\b", low):
            paid, self.tab = self.tab + self.tip, 0.0
            self.balance -= self.tip
            self.order, self.percent, self.tip = [], None, 0.0
            return f"Thank you for your payment of ${paid:.2f}! Come back soon."
        said = []
        for name in PRICES:
            if name.lower() not in low:
                continue
            before = low.split(name.lower())[0].split()[-2:]
            quantity = next((NUMBERS[w] for w in before if w in NUMBERS), 1)
            modifiers = ", ".join(m for m in ("dry", "neat", "on the rocks") if m in low)
            said.append(self.add(name, quantity, modifiers or "no modifiers"))
        if said:
            return " ".join(said) + " Anything else?"
        if "recommend" in low or "fruity" in low:
            return "For something fruity I'd pour you a Daiquiri or a Cosmopolitan. Café crème is off tonight."
        return "I'm better with bottles than with riddles. I can pour you a drink, or tell you what's on the menu."

    def turn(self, text, key):
        """The events of a turn; a key that was here before gives the same ones."""
        with self.lock:
            if key not in self.turns:
                self.turns[key] = self.make_turn(text)
            return self.turns[key]

    def make_turn(self, text):
        reply = self.answer(text)
        self.history += [{"role": "user", "content": text}, {"role": "assistant", "content": reply}]
        events = [{"type": "session"}]
        sentence = ""
        for word in re.findall(r"\S+\s*", reply):
            sentence += word
            events.append({"type": "text_chunk", "content": word, "partial": sentence.strip(),
                           "viseme": "mouth_talk_a"})
            if re.search(r"[.!?]\s*$", word):
                events.append({"type": "sentence", "content": sentence.strip(),
                               "viseme": "mouth_talk_a"})
                sentence = ""
        events.append({"type": "complete", "content": reply, "full_response": reply,
                       "current_order": [dict(i) for i in self.order],
                       "payment_summary": self.summary(), "viseme": "mouth_talk_a"})
        name = secrets.token_hex(4)
        return [(f"{name}-{n}", {**e, "session_id": self.sid}) for n, e in enumerate(events)]


class Bar:
    def __init__(self):
        self.sessions = {}
        self.lock = threading.Lock()

    def session(self, sid):
        sid = (sid or "").strip() or "sess_" + secrets.token_urlsafe(12)
        with self.lock:
            return self.sessions.setdefault(sid, Session(sid))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bar = None

    def log_message(self, *_):
        pass

    def reply(self, status, body, sid=None, kind="application/json", **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if sid:
            self.send_header("X-Session-ID", sid)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def body(self):
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            value = json.loads(data)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def do_GET(self):
        self.route("GET")

    def do_POST(self):
        self.route("POST")

    def route(self, method):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if not url.path.startswith("/api/"):
            return self.file(url.path)
        body = self.body() if method == "POST" else {}
        session = self.bar.session(self.headers.get("X-Session-ID") or query.get("session_id"))
        verb = (method, re.sub(r"^/api(/v1)?", "", url.path))
        if verb[1] == "/chat/stream":
            return self.stream(session, body.get("message") or query.get("message"))
        with session.lock:
            answer = self.answer(verb, session, body)
        if answer is None:
            return self.reply(404, {"detail": "Not Found", "code": "not_found"})
        status, value = answer
        return self.reply(status, value, session.sid if status == 200 else None)

    def answer(self, verb, session, body):
        if verb == ("GET", "/agent"):
            return 200, {"name": "Maya", "greeting": GREETING, "house": "MOK 5-ha"}
        if verb == ("GET", "/menu"):
            return 200, {"house": "MOK 5-ha", "categories": [
                {"name": category, "items": [
                    {"name": n, "price": float(p), "description": ABOUT.get(n, ""), "tags": []}
                    for n, p in items.items()]} for category, items in MENU.items()]}
        if verb == ("GET", "/session/status"):
            return 200, {"session_id": session.sid, "has_valid_keys": False, "is_active": True}
        if verb == ("GET", "/session/history"):
            return 200, {"session_id": session.sid, "history": session.history,
                         "current_order": session.order, "payment_summary": session.summary()}
        if verb == ("POST", "/session/reset"):
            session.clear()
            return 200, {"status": "success", "session_id": session.sid}
        if verb == ("POST", "/payments/tip"):
            if body.get("tip_percentage") not in (10, 15, 20):
                return 400, {"detail": "Tip percentage must be 10, 15, or 20",
                             "code": "invalid_tip"}
            session.set_tip(body["tip_percentage"])
        elif verb != ("GET", "/payments/tab"):
            return None
        return 200, {**session.summary(), "status": "pending"}

    def stream(self, session, text):
        if not text or not text.strip():
            return self.reply(400, {"detail": "Message parameter or body payload is required for"
                                              " streaming.", "code": "invalid_request"})
        key = self.headers.get("Idempotency-Key") or secrets.token_hex(8)
        events = session.turn(text, key)
        ids = [name for name, _ in events]
        last = self.headers.get("Last-Event-ID")
        start = ids.index(last) + 1 if last in ids else 0
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("X-Session-ID", session.sid)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for name, event in events[start:]:
            data = json.dumps(event, ensure_ascii=False)
            self.wfile.write(f"id: {name}\ndata: {data}\n\n".encode())
            self.wfile.flush()

    def file(self, path):
        file = WEB / (path.lstrip("/") or "index.html")
        if file.parent != WEB or not file.is_file():
            return self.reply(404, {"detail": "Not Found", "code": "not_found"})
        kind = TYPES.get(file.suffix, "application/octet-stream")
        return self.reply(200, file.read_bytes(), kind=kind, Content_Security_Policy=POLICY,
                          Cache_Control="no-cache")


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a browser that leaves in the middle is an ordinary thing


class FakeMaya:
    def __init__(self, port=0):
        handler = type("BarHandler", (Handler,), {"bar": Bar()})
        self.server = Server(("127.0.0.1", port), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def main():
    import unruly

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--pace", type=float, default=0.03, help="seconds between two events")
    parser.add_argument("--fault", action="append", default=[], choices=sorted(unruly.FAULTS))
    args = parser.parse_args()
    fake = FakeMaya()
    proxy = unruly.Unruly(fake.url, port=args.port, pace_s=args.pace)
    proxy.faults = [unruly.FAULTS[name] for name in args.fault]
    print(proxy.url, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
