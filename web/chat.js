/*
 * The conversation on the page. What comes from outside enters as text, never as markup. Words
 * are shown as they come, and read aloud (to those who listen to the page) by the sentence.
 */
const NEAR_END_PX = 48;

export class Chat {
  #log;
  #announcer;
  #name = "Maya";
  #following = true; /* until the reader scrolls up to older words */
  #top = 0; /* where the log was scrolled to */

  constructor(log, announcer) {
    this.#log = log;
    this.#announcer = announcer;
    log.addEventListener("scroll", () => {
      const left = log.scrollHeight - log.scrollTop - log.clientHeight;
      if (left < NEAR_END_PX) this.#following = true;
      else if (log.scrollTop < this.#top) this.#following = false;
      this.#top = log.scrollTop;
    });
    /* a keyboard, the unfolded bill, a turned phone */
    new ResizeObserver(() => this.#toEnd(false)).observe(log);
  }

  set agentName(name) {
    this.#name = name;
  }

  clear() {
    this.#log.replaceChildren();
  }

  get empty() {
    return this.#log.childElementCount === 0;
  }

  /* What a person said. */
  addUser(text) {
    const bubble = this.#bubble("user", "You");
    bubble.words.textContent = text;
    this.#log.append(bubble.element);
    this.#toEnd(true);
    return bubble;
  }

  /* What Maya said before. */
  addReply(text) {
    const bubble = this.#bubble("maya", this.#name);
    bubble.words.textContent = text;
    this.#log.append(bubble.element);
    this.#toEnd(true);
  }

  /* A reply that is still coming, under the message that it answers. */
  beginReply(asked) {
    const bubble = this.#bubble("maya", this.#name);
    bubble.element.classList.add("waiting");
    asked.element.after(bubble.element);
    this.#toEnd(true);
    return new Reply(bubble, () => this.#toEnd(false), (text) => this.announce(text));
  }

  /* Say it to a screen reader, politely. */
  announce(text) {
    const line = document.createElement("p");
    line.textContent = text;
    this.#announcer.append(line);
    while (this.#announcer.childElementCount > 12) this.#announcer.firstElementChild.remove();
  }

  #bubble(who, name) {
    const element = document.createElement("article");
    element.className = `said ${who}`;
    const by = document.createElement("h3");
    by.className = "by";
    by.textContent = name;
    const words = document.createElement("p");
    words.className = "words";
    const note = document.createElement("p");
    note.className = "note";
    note.hidden = true;
    element.append(by, words, note);
    return { element, words, note };
  }

  #toEnd(always) {
    if (always) this.#following = true;
    if (this.#following) this.#log.scrollTop = this.#log.scrollHeight;
  }
}

class Reply {
  #bubble;
  #grew;
  #announce;
  #announced = false;

  constructor(bubble, grew, announce) {
    this.#bubble = bubble;
    this.#grew = grew;
    this.#announce = announce;
  }

  append(text) {
    this.#bubble.element.classList.remove("waiting");
    this.note("");
    this.#bubble.words.append(text);
    this.#grew();
  }

  sentence(text) {
    this.#announced = true;
    this.#announce(text);
  }

  /* The whole text is known: it counts, whatever was shown on the way. */
  finish(text) {
    this.#bubble.element.classList.remove("waiting");
    this.note("");
    if (text && this.#bubble.words.textContent !== text) this.#bubble.words.textContent = text;
    if (!this.#announced) this.#announce(text);
    this.#grew();
  }

  /* It went wrong; what has been said stays. */
  fail(text) {
    this.#bubble.element.classList.remove("waiting");
    this.#bubble.element.classList.add("failed");
    if (this.#bubble.words.textContent) this.note(text);
    else {
      this.note("");
      this.#bubble.words.textContent = text;
    }
    this.#announce(text);
    this.#grew();
  }

  /* A small line under the words; "" takes it away. */
  note(text) {
    const note = this.#bubble.note;
    if (note.textContent === text) return;
    note.textContent = text;
    note.hidden = text === "";
    if (text) this.#grew();
  }

  /* Maya's words while a message waits for a place at the bar. */
  hold(text, note) {
    this.#bubble.element.classList.remove("waiting");
    if (this.#bubble.words.textContent !== text) {
      this.#bubble.words.textContent = text;
      this.#announce(text);
    }
    this.note(note);
  }

  /* The answer begins, or begins anew: nothing of it has been said. */
  restart() {
    this.#bubble.words.textContent = "";
    this.#bubble.element.classList.add("waiting");
    this.#bubble.element.classList.remove("failed");
    this.note("");
  }

  /* A button under the words, for one press. */
  offer(text, onPress) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "offer";
    button.textContent = text;
    button.addEventListener("click", () => {
      button.remove();
      this.#bubble.element.classList.remove("failed");
      this.note("");
      onPress();
    });
    this.#bubble.element.append(button);
    this.#grew();
  }
}
