/*
 * Maya's voice on the page: plays the audio events of an answer, sentence after sentence, without
 * a gap and as they come. Silent until it is asked to speak, as browsers want it, too.
 */
const LEAD_S = 0.05; /* the first sentence begins so much later, that the next one is in time */

export class Voice {
  #context = null; /* NULL: silent */
  #parts = []; /* of the sentence that is coming */
  #free = 0; /* when the last sentence known has ended, by the context's clock */
  #playing = new Set();
  #round = 0; /* of speech: what was decoded for an older one is not played */
  #order = Promise.resolve();
  #onChange;

  /* onChange() whenever `speaking` may have changed. */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  static get possible() {
    return typeof AudioContext === "function";
  }

  get speaking() {
    return this.#playing.size > 0;
  }

  /* To be called when a person presses something: only then a page may make a sound. */
  speak() {
    this.#context ??= new AudioContext();
    this.#context.resume().catch(() => {});
  }

  silence() {
    this.hush();
    this.#context?.close().catch(() => {});
    this.#context = null;
  }

  /* End what is being said. */
  hush() {
    this.#round += 1;
    this.#parts = [];
    this.#free = 0;
    for (const source of this.#playing) source.stop();
    this.#playing.clear();
    this.#onChange();
  }

  /* An `audio` event: its chunks make one file a sentence. */
  hear(event) {
    if (!this.#context || event.type !== "audio") return;
    if (event.chunk === 0) this.#parts = [];
    this.#parts.push(
      event.data ?? Uint8Array.from(atob(event.audio_base64), (c) => c.charCodeAt(0)),
    );
    if (!event.last) return;
    const parts = this.#parts;
    const round = this.#round;
    this.#parts = [];
    this.#order = this.#order.then(() => this.#play(parts, round)).catch(() => {});
  }

  async #play(parts, round) {
    const file = await new Blob(parts).arrayBuffer();
    const context = this.#context;
    if (!context || round !== this.#round) return;
    const sound = await context.decodeAudioData(file);
    if (context !== this.#context || round !== this.#round) return;
    const source = context.createBufferSource();
    source.buffer = sound;
    source.connect(context.destination);
    this.#free = Math.max(this.#free, context.currentTime + LEAD_S);
    source.start(this.#free);
    this.#free += sound.duration;
    this.#playing.add(source);
    this.#onChange();
    source.addEventListener("ended", () => {
      if (this.#playing.delete(source)) this.#onChange();
    });
  }
}
