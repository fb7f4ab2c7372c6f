/*
 * Maya's ears on the page: the microphone and the WebSocket it goes over (docs/api.md). Knows no
 * element of the page: what comes is told to hear(event), audio events with their `data`.
 */
const RATE = 16000;

export class Ears {
  #socket = null;
  #context = null;
  #tracks = [];
  #audio = null; /* an audio event that waits for its bytes */
  #hear;
  #onEnd;

  /* onEnd(why): it listens no more; "" when that was asked for. */
  constructor(hear, onEnd) {
    this.#hear = hear;
    this.#onEnd = onEnd;
  }

  static get possible() {
    return (
      typeof AudioWorkletNode === "function" &&
      typeof WebSocket === "function" &&
      Boolean(navigator.mediaDevices?.getUserMedia)
    );
  }

  get open() {
    return this.#context !== null;
  }

  /* To be called when a person presses something. Rejects when there is no microphone. */
  async listen(sessionId) {
    const context = Ears.#newContext();
    this.#context = context;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true },
      });
      this.#tracks = stream.getTracks();
      await context.audioWorklet.addModule("/microphone.js");
      if (this.#context !== context) throw new Error("closed meanwhile");
      this.#connect(sessionId, stream);
    } catch (error) {
      this.#drop();
      throw error;
    }
  }

  close() {
    if (!this.open) return;
    this.#drop();
    this.#onEnd("");
  }

  /* A browser that cannot convert takes what it has: the server is told the rate. */
  static #newContext() {
    try {
      return new AudioContext({ sampleRate: RATE });
    } catch {
      return new AudioContext();
    }
  }

  #connect(sessionId, stream) {
    const context = this.#context;
    const address = new URL("/api/v1/voice", location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    if (sessionId) address.searchParams.set("session_id", sessionId);
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    const microphone = new AudioWorkletNode(context, "microphone", { numberOfOutputs: 0 });
    microphone.port.onmessage = ({ data }) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(data);
    };
    socket.addEventListener("open", () => {
      this.tell({
        type: "start",
        audio: { encoding: "pcm_s16le", sample_rate: context.sampleRate },
        speak: { format: "wav" },
      });
      context.createMediaStreamSource(stream).connect(microphone);
    });
    socket.addEventListener("message", ({ data }) => this.#take(data));
    socket.addEventListener("close", () => {
      if (socket !== this.#socket) return;
      this.#drop();
      this.#onEnd("I lost you there. Press the microphone to talk again.");
    });
  }

  tell(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #take(data) {
    if (typeof data !== "string") {
      const event = this.#audio;
      this.#audio = null;
      if (event) this.#hear({ ...event, data: new Uint8Array(data) });
      return;
    }
    const event = JSON.parse(data);
    if (event.type === "audio") this.#audio = event;
    else this.#hear(event);
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#audio = null;
    socket?.close();
    for (const track of this.#tracks) track.stop();
    this.#tracks = [];
    this.#context?.close().catch(() => {});
    this.#context = null;
  }
}
