// <shopvision-search>: photo search in the shop's page. No framework, no inline script or style, no third party.
// The photo is turned upright, made smaller and stripped of its metadata here, before it is sent.
import { CropBox } from "./crop.js";

const MAX_SIDE = 1024; // pixels sent: the encoder looks at 224
const QUALITY = 0.88;
const MOST_CHIPS = 20; // values of a filter that can be looked over
const WAIT_MS = 350; // after the last move of the crop box

/** An element with properties and children; text children are never markup. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child != null && child !== ""));
  return element;
}

class ShopvisionSearch extends HTMLElement {
  connectedCallback() {
    if (this.dialog || !window.HTMLDialogElement || !window.createImageBitmap) return;
    this.chosen = {}; // what the chips narrow to: a value by the facet's name
    this.text = (key) => this.dataset["t" + key[0].toUpperCase() + key.slice(1)] || "";
    this.querySelector("form")?.remove();
    this.append(
      make("button", { type: "button", class: "sv-open", onclick: () => this.open() }, icon(), this.text("open")),
      this.build(),
    );
  }

  build() {
    const input = (extra) => {
      const file = make("input", { type: "file", accept: "image/*", class: "sv-hidden-input", ...extra });
      file.addEventListener("change", () => {
        const [photo] = file.files;
        file.value = ""; // so that the same photo can be chosen again
        if (photo) this.take(photo);
      });
      return file;
    };
    this.canvas = make("canvas", { class: "sv-canvas" });
    this.crop = new CropBox(this.text("crop"), this.text("corner"), () => this.later());
    this.figure = make("div", { class: "sv-figure", hidden: true }, this.canvas, this.crop.element);
    this.drop = make(
      "div",
      { class: "sv-drop" },
      make("p", {}, this.text("drop")),
      make(
        "p",
        { class: "sv-buttons" },
        make("label", { class: "sv-button" }, this.text("choose"), input({ name: "file" })),
        make("label", { class: "sv-button sv-camera" }, this.text("camera"), input({ capture: "environment" })),
      ),
      make("p", { class: "sv-note" }, this.text("private")),
    );
    this.status = make("p", { class: "sv-status", role: "status", "aria-live": "polite" });
    this.chips = make("div", { hidden: true });
    this.words = make("input", { type: "search", maxlength: 200, oninput: () => this.later() });
    this.wordsField = make("label", { class: "sv-words", hidden: true }, this.text("words"), this.words);
    this.results = make("ul", { class: "sv-grid", "data-shopvision-observe": true });
    this.more = make("button", { type: "button", class: "sv-button sv-more", hidden: true, onclick: () => this.next() }, this.text("more"));
    this.another = make("button", { type: "button", class: "sv-button", hidden: true, onclick: () => this.reset() }, this.text("another"));
    const title = make("h2", { id: "sv-title" }, this.text("title"));
    const close = make("button", { type: "button", class: "sv-close", "aria-label": this.text("close"), onclick: () => this.dialog.close() }, "×");
    this.dialog = make(
      "dialog",
      { class: "sv-dialog", "aria-labelledby": "sv-title" },
      make("div", { class: "sv-head" }, title, this.another, close),
      make("div", { class: "sv-body" }, make("div", { class: "sv-side" }, this.drop, this.figure), make("div", { class: "sv-main" }, this.status, this.wordsField, this.chips, this.results, this.more)),
    );
    this.listen();
    return this.dialog;
  }

  listen() {
    const stop = (event) => event.preventDefault();
    this.dialog.addEventListener("dragover", (event) => { stop(event); this.drop.classList.add("sv-over"); });
    this.dialog.addEventListener("dragleave", () => this.drop.classList.remove("sv-over"));
    this.dialog.addEventListener("drop", (event) => {
      stop(event);
      this.drop.classList.remove("sv-over");
      this.takeFrom(event.dataTransfer);
    });
    document.addEventListener("paste", (event) => this.dialog.open && this.takeFrom(event.clipboardData));
    this.dialog.addEventListener("close", () => {
      clearTimeout(this.timer);
      this.request?.abort();
    });
  }

  open() {
    this.dialog.showModal();
  }

  takeFrom(transfer) {
    const file = [...(transfer?.files ?? [])].find((one) => one.type.startsWith("image/"));
    if (file) this.take(file);
    else if (transfer?.files?.length) this.say(this.text("unreadable"));
  }

  /** Decode, turn upright, make smaller, show, search. */
  async take(file) {
    try {
      const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
      const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
      this.canvas.width = Math.max(1, Math.round(bitmap.width * scale));
      this.canvas.height = Math.max(1, Math.round(bitmap.height * scale));
      const pen = this.canvas.getContext("2d");
      pen.fillStyle = "#fff"; // a see-through picture is meant on white
      pen.fillRect(0, 0, this.canvas.width, this.canvas.height);
      pen.drawImage(bitmap, 0, 0, this.canvas.width, this.canvas.height);
      bitmap.close();
      this.photo = await new Promise((done) => this.canvas.toBlob(done, "image/jpeg", QUALITY));
    } catch {
      this.say(this.text("unreadable"));
      return;
    }
    this.drop.hidden = true;
    this.figure.hidden = this.another.hidden = this.wordsField.hidden = false;
    this.chosen = {};
    this.words.value = "";
    this.chips.hidden = true;
    this.crop.reset();
    this.search();
  }

  reset() {
    this.request?.abort();
    this.photo = null;
    this.drop.hidden = false;
    this.figure.hidden = this.another.hidden = this.chips.hidden = this.more.hidden = this.wordsField.hidden = true;
    this.results.replaceChildren();
    this.status.textContent = "";
    this.drop.querySelector("input").focus();
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.search(), WAIT_MS);
  }

  search() {
    if (!this.photo) return;
    const body = new FormData();
    body.append("image", this.photo, "photo.jpg");
    if (!this.crop.isWhole()) body.append("crop", this.crop.box().map((x) => x.toFixed(4)).join(","));
    for (const [name, value] of Object.entries(this.chosen)) {
      if (name === "category") body.append("category", value);
      else body.append("filters", `${name}=${value}`);
    }
    if (this.words.value.trim()) body.append("text", this.words.value.trim());
    this.ask(this.dataset.search, { method: "POST", body });
  }

  similar(product) {
    this.figure.hidden = this.wordsField.hidden = true;
    this.chosen = {};
    this.ask(this.dataset.similar.replace("REF", encodeURIComponent(product)));
    this.another.hidden = false;
    this.drop.hidden = true;
  }

  next() {
    this.ask(this.nextPage, {}, true);
  }

  async ask(url, options = {}, append = false) {
    this.request?.abort();
    const mine = (this.request = new AbortController());
    this.say(this.text("loading"));
    this.results.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(url, { ...options, signal: mine.signal, headers: { Accept: "application/json" }, credentials: "same-origin" });
      const found = await answer.json();
      if (answer.ok) this.show(found, append);
      else this.say(this.problem(answer.status, found));
    } catch (error) {
      if (error.name !== "AbortError") this.say(this.text("failed"));
    } finally {
      if (this.request === mine) this.results.removeAttribute("aria-busy");
    }
  }

  problem(status, answer) {
    if (status === 429) return this.text("often");
    if (answer.code === "queue_full") return this.text("busy");
    if (status === 503) return this.text("warming");
    if (answer.code === "too_small") return this.text("small");
    if (status === 415 || status === 422) return this.text("unreadable");
    return answer.detail || this.text("failed");
  }

  show(found, append) {
    const level = found.match?.level;
    const words = { none: this.text("none"), weak: this.text("weak") }[level] ?? this.text("found");
    this.say(found.results.length || append ? words : this.text("nothing"));
    const first = append ? this.results.children.length : 0;
    const cards = found.results.map((one, place) => this.card(one, first + place));
    this.results.dataset.shopvisionListing = found.id; // for events.js, where the shop uses it
    if (append) this.results.append(...cards);
    else this.results.replaceChildren(...cards);
    this.results.dispatchEvent(new Event("shopvision:shown", { bubbles: true }));
    this.nextPage = found.next;
    this.more.hidden = !found.next;
    const narrowed = Object.keys(this.chosen).length || this.words.value.trim();
    if (!append && !narrowed) this.showChips(found.facets ?? {});
  }

  /** A row of chips for the category and for each filter that has few values here; one choice in a row. */
  showChips(facets) {
    const { category = [], ...others } = facets;
    const rows = [["category", category.slice(0, 8)], ...Object.entries(others).filter(([, values]) => values.length <= MOST_CHIPS)];
    const useful = this.photo && !this.figure.hidden ? rows.filter(([, values]) => values.length > 1) : [];
    this.chips.hidden = !useful.length;
    this.chips.replaceChildren(...useful.map(([name, values]) => this.chipRow(name, values)));
  }

  chipRow(name, values) {
    const row = make("div", { class: "sv-chips", role: "group", "aria-label": name.replaceAll("_", " ") });
    const chip = (id, words) => {
      const button = make("button", { type: "button", class: "sv-chip", "aria-pressed": String(id === "") }, words);
      button.addEventListener("click", () => {
        if (id) this.chosen[name] = id;
        else delete this.chosen[name];
        for (const one of row.children) one.setAttribute("aria-pressed", String(one === button));
        this.search();
      });
      return button;
    };
    row.append(chip("", this.text("all")), ...values.map((one) => chip(one.id, `${one.name} (${one.count})`)));
    return row;
  }

  card(one, place) {
    const picture = one.image ? make("img", { src: one.image, alt: "", loading: "lazy", width: 240, height: 240 }) : null;
    const again = make("button", { type: "button", class: "sv-similar", onclick: () => this.similar(one.product) }, this.text("similar"), make("span", { class: "sv-hidden" }, `: ${one.title}`));
    return make(
      "li",
      { "data-shopvision-product": one.product, "data-shopvision-position": place },
      make(
        "article",
        { class: "sv-card" },
        make("a", { href: one.url }, picture, make("span", { class: "sv-name" }, one.title)),
        one.price == null ? null : make("p", { class: "sv-price" }, one.price),
        one.in_stock ? null : make("p", { class: "sv-soldout" }, this.text("soldout")),
        one.why.length ? make("p", { class: "sv-why" }, one.why.join(" · ")) : null,
        again,
      ),
    );
  }

  say(words) {
    this.status.textContent = words;
  }
}

function icon() {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 24 24", width: "20", height: "20", "aria-hidden": "true" })) svg.setAttribute(name, value);
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", "M9 4 7.2 6H4a2 2 0 0 0-2 2v10a2 2 0 0 0 2 2h16a2 2 0 0 0 2-2V8a2 2 0 0 0-2-2h-3.2L15 4H9Zm3 4.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9Zm0 2a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5Z");
  path.setAttribute("fill", "currentColor");
  svg.append(path);
  return svg;
}

if (!customElements.get("shopvision-search")) customElements.define("shopvision-search", ShopvisionSearch);
