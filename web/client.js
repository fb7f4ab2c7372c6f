/*
 * What the page asks of the server, and how it asks again. Knows the wire, no element of the
 * page. A message is one turn: it has one Idempotency-Key for all its tries, so that the server
 * does it once however often a broken connection makes us ask.
 */
import { SseParser } from "./sse.js";

const API = "/api/v1";
const SESSION_KEY = "maya_session_id";
const LOST_PAUSES_MS = [500, 1500, 4000];
const QUIET_MS = 60000; /* a stream that says nothing for so long is dead */
const REFUSED_PAUSE_MS = 30000;
const MAX_QUERY = 4000; /* a longer message goes in a body, which has room */

/* The server answered, and the answer is no. */
export class Refused extends Error {
  constructor(status, code, detail, retryAfterS) {
    super(detail);
    this.status = status;
    this.code = code;
    this.retryAfterS = retryAfterS;
  }
}

/* The server did not answer, or not to the end, as often as we asked. */
export class Lost extends Error {}

function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

/* Resolves after ms, rejects at once when stopped. */
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}

async function refusal(response) {
  let code = "";
  let detail = "";
  try {
    const body = await response.json();
    if (typeof body.code === "string") code = body.code;
    if (typeof body.detail === "string") detail = body.detail;
    else if (Array.isArray(body.detail) && body.detail[0]) detail = String(body.detail[0].msg);
  } catch {
    /* not our server's JSON: a proxy's page says nothing that a person could use */
  }
  const after = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  return new Refused(response.status, code, detail, after > 0 ? after : 0);
}

export class Client {
  aloud = false; /* ask for audio, too */
  #memory = ""; /* the id, where the browser keeps nothing for us */
  #speech = null; /* the AbortController of an answer that is still being spoken */
  seenTurn = 0; /* number of the newest turn that is shown: news are what comes behind it */
  #ownTurns = new Map(); /* of those that we asked for ourselves: number to message */
  #unsure = new Set(); /* messages that were given up: they may have been done all the same */

  get sessionId() {
    try {
      return localStorage.getItem(SESSION_KEY) ?? this.#memory;
    } catch {
      return this.#memory;
    }
  }

  set sessionId(id) {
    this.#memory = id;
    try {
      localStorage.setItem(SESSION_KEY, id);
    } catch {
      /* private mode: the session lasts as long as the page */
    }
  }

  agent() {
    return this.#json("GET", "/agent");
  }

  menu() {
    return this.#json("GET", "/menu");
  }

  tab() {
    return this.#json("GET", "/payments/tab");
  }

  tip(percentage) {
    return this.#json("POST", "/payments/tip", { tip_percentage: percentage });
  }

  reset() {
    return this.#json("POST", "/session/reset");
  }

  async history() {
    const past = await this.#json("GET", "/session/history");
    if (typeof past.session_id === "string" && past.session_id) this.sessionId = past.session_id;
    return past;
  }

  /*
   * Hear what happens in the session, whoever did it: onNews(event) for each `turn`, `changed`,
   * `ended` and `reload`. Returns what stops it. Who cannot have it, or not now, misses nothing
   * that the next history does not bring.
   */
  watch(onNews) {
    let source = null;
    let timer = 0;
    const open = () => {
      const query = new URLSearchParams({ session_id: this.sessionId });
      if (this.seenTurn) query.set("last_event_id", this.seenTurn);
      source = new EventSource(`${API}/session/events?${query}`);
      source.onmessage = ({ data }) => {
        const event = JSON.parse(data);
        if (event.turn) this.seenTurn = event.turn;
        if (event.type === "ended") {
          this.seenTurn = 0;
          this.#ownTurns.clear();
        }
        if (event.type !== "session") onNews(event);
      };
      source.onerror = () => {
        if (source.readyState !== EventSource.CLOSED) return; /* it comes back by itself */
        clearTimeout(timer);
        timer = setTimeout(open, REFUSED_PAUSE_MS);
      };
    };
    if (this.sessionId && typeof EventSource === "function") open();
    return () => {
      clearTimeout(timer);
      source?.close();
    };
  }

  /* Did we ask for this `turn` ourselves? Known for sure when none of ours is under way. */
  isOwn(event) {
    return this.#ownTurns.get(event.turn) === event.user_input || this.#unsure.has(event.user_input);
  }

  /* A message that goes to the server another way than turn(), and its turn once it is known. */
  expect(text) {
    this.#unsure.add(text);
  }

  known(turn, text) {
    this.#ownTurns.set(turn, text);
    this.#unsure.delete(text);
  }

  /* A message to say with turn(); after Lost it may be said again, and is still done once. */
  message(text) {
    return { text, key: randomKey(), lastId: "", seen: new Set(), lost: 0 };
  }

  /*
   * Say a message. `hooks`: event(object) for each event of the stream, connected() when the
   * server answers, lost(tries, most) before another try, full(refusal, seconds) each second
   * until a full bar is asked again. Resolves after `complete` or `error`. A `session` event
   * means that the answer is told from its start, also when some of it was told before: the
   * server undoes a turn whose listener is gone, and does it again for one that comes back.
   * Aloud: audio(event) for each `audio`, also after it was resolved, until hush().
   */
  async turn(turn, hooks, signal) {
    turn.lost = 0;
    this.#unsure.add(turn.text);
    if (!this.sessionId) await this.#meet(hooks, signal);
    await this.#insist(() => this.#attempt(turn, hooks, signal), turn, hooks, signal);
    this.#unsure.delete(turn.text);
  }

  /* Have an id before the first message: a repeated message is known by its session and key. */
  async #meet(hooks, signal) {
    const ask = async () => {
      const status = await this.#json("GET", "/session/status", undefined, signal);
      if (!this.sessionId && status.session_id) this.sessionId = status.session_id;
      return true;
    };
    await this.#insist(ask, { lost: 0 }, hooks, signal);
  }

  /* Do `attempt` until it is true: at once again after a wait for a place, with pauses after a loss. */
  async #insist(attempt, turn, hooks, signal) {
    for (;;) {
      try {
        if (await attempt()) return;
      } catch (error) {
        if (signal.aborted) throw error;
        if (error instanceof Refused) {
          if (!(await this.#again(error, turn, hooks, signal))) throw error;
          continue;
        }
      }
      if (turn.lost >= LOST_PAUSES_MS.length) throw new Lost("The connection was lost.");
      turn.lost += 1;
      hooks.lost(turn.lost, LOST_PAUSES_MS.length);
      await pause(LOST_PAUSES_MS[turn.lost - 1], signal);
    }
  }

  /* Wait out a refusal that passes by itself. False: it does not. */
  async #again(refused, turn, hooks, signal) {
    const ourOwn = refused.code === "turn_in_progress" && turn.lost > 0;
    if (refused.status !== 503 && !ourOwn) return false;
    for (let left = refused.retryAfterS || 5; left > 0; left -= 1) {
      if (!ourOwn) hooks.full(refused, left);
      await pause(1000, signal);
    }
    return true;
  }

  /* One request. True: the turn has ended. False: the stream broke off before its end. */
  async #attempt(turn, hooks, signal) {
    const inner = new AbortController();
    const stop = () => inner.abort(signal.reason);
    let quiet = 0;
    const heard = () => {
      clearTimeout(quiet);
      quiet = setTimeout(() => inner.abort(new Lost("quiet")), QUIET_MS);
    };
    signal.addEventListener("abort", stop, { once: true });
    try {
      heard();
      const response = await this.#open(turn, inner.signal);
      if (!response.ok) {
        const refused = await refusal(response);
        const gateway = refused.status === 502 || refused.status === 504;
        if (gateway && !refused.code) return false;
        throw refused;
      }
      if (response.status === 204) return true; /* nothing of it is missing */
      this.#noteSession(response);
      hooks.connected();
      return await this.#read(response.body, turn, hooks, heard, inner);
    } finally {
      clearTimeout(quiet);
      signal.removeEventListener("abort", stop);
    }
  }

  #open(turn, signal) {
    const headers = this.#headers();
    headers.Accept = "text/event-stream";
    headers["Idempotency-Key"] = turn.key;
    if (turn.lastId) headers["Last-Event-ID"] = turn.lastId;
    const query = new URLSearchParams({ message: turn.text, session_id: this.sessionId });
    if (this.aloud) query.set("audio", "wav");
    if (turn.lastId && `${query}`.length <= MAX_QUERY)
      return fetch(`${API}/chat/stream?${query}`, { headers, signal, cache: "no-store" });
    headers["Content-Type"] = "application/json";
    const body = JSON.stringify({ message: turn.text, ...(this.aloud && { audio: "wav" }) });
    return fetch(`${API}/chat/stream`, { method: "POST", headers, body, signal });
  }

  async #read(stream, turn, hooks, heard, inner) {
    let ended = false;
    let speaking = this.aloud;
    const parser = new SseParser(({ id, data }) => {
      let event;
      try {
        event = JSON.parse(data);
      } catch {
        return;
      }
      if (event.type === "audio") { /* has no id of its own */
        hooks.audio(event);
        return;
      }
      if (event.type === "audio_end" || event.type === "error") speaking = false;
      if (ended || event.type === "audio_end") return;
      if (event.type === "session") {
        turn.seen.clear();
        if (event.session_id) this.sessionId = event.session_id;
      }
      if (id && turn.seen.has(id)) return;
      if (id) {
        this.#ownTurns.set(Number.parseInt(id, 10), turn.text);
        turn.seen.add(id);
        turn.lastId = id;
      }
      ended = event.type === "complete" || event.type === "error";
      hooks.event(event);
    });
    const reader = stream.getReader();
    try {
      while (!ended) {
        const { done, value } = await reader.read();
        if (done) break;
        heard();
        parser.push(value);
      }
    } finally {
      if (!ended || !speaking) reader.cancel().catch(() => {});
    }
    if (ended && speaking) this.#listen(reader, parser, () => speaking, inner);
    return ended;
  }

  /* The text is complete; what is left of its speech comes in the background. */
  async #listen(reader, parser, speaking, inner) {
    this.#speech = inner;
    try {
      while (speaking()) {
        const { done, value } = await reader.read();
        if (done) break;
        parser.push(value);
      }
    } catch {
      /* hushed, or lost: the words are there */
    }
    if (this.#speech === inner) this.#speech = null;
    reader.cancel().catch(() => {});
  }

  /* The speech of an answer that is complete is not wanted any more. */
  hush() {
    this.#speech?.abort();
    this.#speech = null;
  }

  #headers() {
    const id = this.sessionId;
    return id ? { "X-Session-ID": id } : {};
  }

  #noteSession(response) {
    const id = response.headers.get("X-Session-ID");
    if (id && !this.sessionId) this.sessionId = id;
  }

  async #json(method, path, body, signal) {
    const headers = this.#headers();
    const options = { method, headers, signal, cache: "no-store" };
    if (body !== undefined) {
      headers["Content-Type"] = "application/json";
      options.body = JSON.stringify(body);
    }
    const response = await fetch(API + path, options);
    if (!response.ok) throw await refusal(response);
    this.#noteSession(response);
    return response.json();
  }
}
