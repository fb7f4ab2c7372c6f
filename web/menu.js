/*
 * The menu: beside the conversation where there is room, a drawer where there is not. A tap on
 * an item says it to Maya.
 */
const money = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });
const narrow = matchMedia("(max-width: 59.99rem)"); /* as in style.css */

/* "A Negroni, please", "An Old Fashioned, please" */
export function wish(name) {
  return `${/^[aeiou]/i.test(name) ? "An" : "A"} ${name}, please`;
}

export class Menu {
  #drawer = document.getElementById("menu");
  #toggle = document.getElementById("menu-toggle");
  #veil = document.getElementById("veil");
  #list = document.getElementById("menu-list");
  #onWish;

  constructor(onWish) {
    this.#onWish = onWish;
    this.#toggle.addEventListener("click", () => this.#open(!this.#isOpen));
    this.#veil.addEventListener("click", () => this.#open(false));
    document.getElementById("menu-close").addEventListener("click", () => this.#open(false));
    this.#drawer.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#isOpen) {
        event.stopPropagation();
        this.#open(false);
      }
    });
    narrow.addEventListener("change", () => this.#settle(false));
    this.#settle(false);
  }

  show(menu) {
    const sections = (menu.categories ?? []).map((category) => {
      const section = document.createElement("section");
      const title = document.createElement("h3");
      title.textContent = category.name;
      const items = document.createElement("ul");
      items.append(...(category.items ?? []).map((item) => this.#item(item)));
      section.append(title, items);
      return section;
    });
    this.#list.replaceChildren(...sections);
  }

  get #isOpen() {
    return this.#toggle.getAttribute("aria-expanded") === "true";
  }

  #item(item) {
    const row = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    const name = document.createElement("span");
    const price = document.createElement("span");
    name.className = "name";
    name.textContent = item.name;
    price.className = "price";
    price.textContent = money.format(item.price);
    button.append(name, price);
    if (item.description) {
      const more = document.createElement("span");
      more.className = "how";
      more.textContent = item.description;
      button.append(more);
    }
    button.addEventListener("click", () => {
      if (narrow.matches) this.#open(false);
      this.#onWish(wish(item.name));
    });
    row.append(button);
    return row;
  }

  #open(open) {
    this.#settle(open);
    if (open) document.getElementById("menu-close").focus();
    else this.#toggle.focus();
  }

  /* A closed drawer must not be reached with the Tab key, an open one must hold it. */
  #settle(open) {
    const shown = open && narrow.matches;
    this.#toggle.setAttribute("aria-expanded", String(shown));
    this.#drawer.classList.toggle("open", shown);
    this.#drawer.inert = narrow.matches && !shown;
    this.#veil.hidden = !shown;
    for (const other of document.querySelectorAll("[data-behind]")) other.inert = shown;
  }
}
