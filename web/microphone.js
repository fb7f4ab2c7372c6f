/*
 * The microphone's own thread: samples as they come become pieces of 16 bits, a tenth of a
 * second each.
 */
class Microphone extends AudioWorkletProcessor {
  #piece = new Int16Array(Math.round(sampleRate / 10));
  #filled = 0;

  process([input]) {
    for (const sample of input[0] ?? []) {
      this.#piece[this.#filled++] = Math.max(-1, Math.min(1, sample)) * 32767;
      if (this.#filled < this.#piece.length) continue;
      const whole = this.#piece.slice();
      this.port.postMessage(whole.buffer, [whole.buffer]);
      this.#filled = 0;
    }
    return true;
  }
}

registerProcessor("microphone", Microphone);
