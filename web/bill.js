/*
 * The running order, the tab, the tip and the balance. Shows what the server said last; it
 * adds up nothing but what is to pay.
 */
const money = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });

function amount(value) {
  return Number.isFinite(value) ? value : 0;
}

function byId(id) {
  return document.getElementById(id);
}

export class Bill {
  #list = byId("order");
  #tips = [...document.querySelectorAll("#tips button")];
  #pay = byId("pay");
  #toggle = byId("bill-toggle");

  constructor({ onTip, onPay }) {
    for (const button of this.#tips)
      button.addEventListener("click", () => onTip(Number(button.dataset.percent)));
    this.#pay.addEventListener("click", onPay);
    this.#toggle.addEventListener("click", () => this.fold(this.open));
  }

  /* On a narrow page the sheet is folded to one line. */
  get open() {
    return this.#toggle.getAttribute("aria-expanded") === "true";
  }

  fold(folded) {
    this.#toggle.setAttribute("aria-expanded", String(!folded));
    byId("bill").classList.toggle("open", !folded);
  }

  /* items: [{ name, price, modifiers, quantity }], price being that of the whole line */
  showOrder(items) {
    const count = items.reduce((sum, item) => sum + amount(item.quantity), 0);
    this.#list.replaceChildren(...items.map((item) => this.#line(item)));
    byId("order-none").hidden = items.length > 0;
    byId("bill-count").textContent =
      count === 0 ? "Nothing ordered" : count === 1 ? "1 drink" : `${count} drinks`;
  }

  /* { tab_amount, balance, tip_percentage, tip_amount } */
  showTab(tab) {
    const due = amount(tab.tab_amount) + amount(tab.tip_amount);
    byId("tab").textContent = money.format(amount(tab.tab_amount));
    byId("tip").textContent = money.format(amount(tab.tip_amount));
    byId("tip-label").textContent = tab.tip_percentage ? `Tip (${tab.tip_percentage} %)` : "Tip";
    byId("due").textContent = money.format(due);
    byId("bill-due").textContent = money.format(due);
    byId("balance").textContent = money.format(amount(tab.balance));
    for (const button of this.#tips) {
      const chosen = Number(button.dataset.percent) === tab.tip_percentage;
      button.setAttribute("aria-pressed", String(chosen));
      button.disabled = amount(tab.tab_amount) === 0;
    }
    this.#pay.disabled = due === 0;
  }

  #line(item) {
    const row = document.createElement("li");
    const name = document.createElement("span");
    const price = document.createElement("span");
    name.className = "name";
    name.textContent = amount(item.quantity) > 1 ? `${item.quantity} × ${item.name}` : item.name;
    price.className = "price";
    price.textContent = money.format(amount(item.price));
    row.append(name, price);
    if (item.modifiers && item.modifiers !== "no modifiers") {
      const how = document.createElement("span");
      how.className = "how";
      how.textContent = item.modifiers;
      row.append(how);
    }
    return row;
  }
}
