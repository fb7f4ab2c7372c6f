/*
 * Server-sent events out of a stream of bytes (HTML standard, section 9.2.6). The bytes may be
 * cut anywhere: inside a character, a line, between the two bytes of a line end.
 */
export class SseParser {
  #decoder = new TextDecoder();
  #onEvent;
  #rest = "";
  #skipLf = false;
  #data = [];
  #type = "";
  #id = "";

  /* onEvent({ id, type, data }) is called for each whole event; id is "" before the first. */
  constructor(onEvent) {
    this.#onEvent = onEvent;
  }

  push(bytes) {
    let text = this.#decoder.decode(bytes, { stream: true });
    if (text === "") return;
    if (this.#skipLf && text.startsWith("\n")) text = text.slice(1);
    this.#skipLf = text.endsWith("\r"); /* its line feed may come with the next bytes */
    const lines = (this.#rest + text).split(/\r\n|\r|\n/);
    this.#rest = lines.pop();
    for (const line of lines) this.#line(line);
  }

  #line(line) {
    if (line === "") {
      this.#dispatch();
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#type = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
  }

  #dispatch() {
    const event = { id: this.#id, type: this.#type || "message", data: this.#data.join("\n") };
    const empty = this.#data.length === 0;
    this.#data = [];
    this.#type = "";
    if (!empty) this.#onEvent(event);
  }
}
