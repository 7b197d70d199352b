// The review screen with single keys and without page loads; every button also works as a plain form or link.
(() => {
  const place = document.getElementById("sv-card");
  const said = document.getElementById("sv-said");
  const undoForm = document.getElementById("sv-undo");
  const keysBox = document.getElementById("sv-keys");
  if (!place || !undoForm) return;
  const page = place.dataset.review;
  const cards = new Map(); // query string -> promise of a card's HTML, fetched ahead
  let busy = false;
  let heat = false;

  const remembered = (name, value) => {
    try {
      if (value === undefined) return window.localStorage.getItem(name);
      window.localStorage.setItem(name, value);
    } catch {
      // a browser that stores nothing; the setting lasts as long as the page
    }
    return null;
  };
  document.body.classList.add("sv-script");
  keysBox.checked = remembered("shopvision.keys") !== "off";
  keysBox.addEventListener("change", () => remembered("shopvision.keys", keysBox.checked ? "on" : "off"));

  const card = () => place.querySelector("[data-id]");
  const say = (words, bad = false) => {
    said.textContent = words;
    said.classList.toggle("sv-bad", bad);
  };

  function fetchCard(query) {
    if (!cards.has(query)) {
      const wanted = fetch(`${page}?${query}&part=card`, { credentials: "same-origin" }).then((answer) => {
        if (!answer.ok || answer.redirected) throw new Error(answer.status);
        return answer.text();
      });
      wanted.catch(() => cards.delete(query));
      cards.set(query, wanted);
    }
    return cards.get(query);
  }

  function ahead() {
    const next = card()?.dataset.next;
    if (!next) return;
    fetchCard(next)
      .then((html) => {
        const held = document.createElement("template");
        held.innerHTML = html;
        for (const photo of held.content.querySelectorAll("img.sv-main, .sv-near img")) new Image().src = photo.src;
      })
      .catch(() => {});
  }

  async function show(query, words = "") {
    const html = await fetchCard(query);
    cards.clear();
    place.innerHTML = html;
    const box = document.getElementById("sv-heat");
    if (box) box.checked = heat;
    const title = document.getElementById("sv-title");
    title?.focus({ preventScroll: true });
    const guess = place.querySelector(".sv-chosen");
    const next = guess
      ? `${title.textContent}: ${guess.querySelector("th").textContent}, ${guess.querySelector(".sv-number").textContent}`
      : title?.textContent ?? "";
    say([words, next].filter(Boolean).join(" "));
    window.history.replaceState(null, "", `${page}?${query}`);
    undoForm.action = undoForm.action.split("?")[0] + `?${query}`;
    ahead();
  }

  async function send(form) {
    const body = new FormData(form);
    const answer = await fetch(form.action, {
      method: "POST",
      body,
      credentials: "same-origin",
      headers: { Accept: "application/json" },
    });
    if (![200, 409].includes(answer.status)) throw new Error(answer.status);
    return answer.json();
  }

  async function decide(form) {
    if (busy) return;
    busy = true;
    place.setAttribute("aria-busy", "true");
    try {
      const result = await send(form);
      if (result.ok) {
        undoForm.querySelector("button").disabled = false;
        const last = document.getElementById("sv-last");
        if (last) last.textContent = result.words;
        if (form !== undoForm) undoForm.querySelector("button").title = result.words;
      }
      const query = result.address.split("?")[1] ?? "";
      if (!result.ok) cards.delete(query);
      if (result.ok || form !== undoForm) await show(query, result.words);
      else say(result.words);
      if (!result.ok) said.classList.add("sv-bad");
    } catch {
      form.submit(); // signed out, or the server is away: the plain form says it best
    } finally {
      busy = false;
      place.removeAttribute("aria-busy");
    }
  }

  async function skip(link) {
    if (busy) return;
    busy = true;
    try {
      await show(link.getAttribute("href").slice(1));
    } catch {
      window.location.assign(link.href);
    } finally {
      busy = false;
    }
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form !== undoForm && !form.dataset.verb) return;
    event.preventDefault();
    decide(form);
  });
  place.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-verb=skip]");
    if (!link || event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    skip(link);
  });
  place.addEventListener("change", (event) => {
    if (event.target.id === "sv-heat") heat = event.target.checked;
  });
  place.addEventListener(
    "error",
    (event) => {
      if (!event.target.classList?.contains("sv-map")) return;
      const label = place.querySelector(".sv-heatlabel");
      say(label.dataset.none, true);
      for (const gone of [event.target, label, document.getElementById("sv-heat")]) gone.remove();
    },
    true,
  );

  const press = (verb) => place.querySelector(`form[data-verb=${verb}] button`)?.click();
  const keys = {
    a: () => press("accept"),
    r: () => press("reject"),
    c: () => document.getElementById("sv-label")?.focus(),
    s: () => place.querySelector("a[data-verb=skip]")?.click(),
    u: () => undoForm.querySelector("button").click(),
    h: () => document.getElementById("sv-heat")?.click(),
    "?": () => {
      const help = document.getElementById("sv-help");
      help.open = !help.open;
      if (help.open) help.querySelector("summary").focus();
    },
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input:not([type=checkbox]), select, textarea");
    if (event.key === "Escape" && event.target.id === "sv-label") document.getElementById("sv-title")?.focus();
    if (typing || !keysBox.checked || event.metaKey || event.ctrlKey || event.altKey || event.repeat) return;
    const act = keys[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  });
  ahead();
})();
