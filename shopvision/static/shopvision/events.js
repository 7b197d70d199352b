// The beacon: reports views, impressions and clicks, in batches, when the visitor's choice allows it.
// No inline script, no third party, no identifier: the server knows the visitor by a cookie this script cannot read.
const script = document.querySelector("script[data-shopvision-events]");
const { shopvisionEvents: url, mode } = script.dataset;

const KEY = "shopvision.events";
const FLAG = /(?:^|;\s*)shopvision_record=([01])/;
const MOST_QUEUED = 200; // events; older ones give way
const BATCH = 50; // the server takes 100, and a beacon carries 64 KB
const WAIT_MS = 1500; // gathers what happens together
const RETRY_MS = 30_000;
const OLDEST_MS = 24 * 3600 * 1000; // the server counts nothing as older
const SEEN_SHARE = 0.5; // of a card within the window ...
const SEEN_MS = 600; // ... for so long is an impression

const refused = navigator.globalPrivacyControl === true || navigator.doNotTrack === "1" || window.doNotTrack === "1";

/** May anything be reported or even kept for later: the browser's signal first, then the visitor's choice. */
function allowed() {
  if (refused || mode === "off") return false;
  const flag = document.cookie.match(FLAG)?.[1];
  return mode === "consent" ? flag === "1" : flag !== "0";
}

/** What waits to be sent: beyond this visit only with consent. */
const queue = {
  store() {
    try {
      return mode === "consent" ? window.localStorage : window.sessionStorage;
    } catch {
      return null; // storage is switched off: events live as long as the page
    }
  },
  memory: [],
  read() {
    try {
      const kept = JSON.parse(this.store()?.getItem(KEY) ?? "null");
      return Array.isArray(kept) ? kept : this.memory;
    } catch {
      return this.memory;
    }
  },
  write(events) {
    this.memory = events.slice(-MOST_QUEUED);
    try {
      if (this.memory.length) this.store()?.setItem(KEY, JSON.stringify(this.memory));
      else this.store()?.removeItem(KEY);
    } catch {
      // full or switched off: memory has them
    }
  },
  without(sent) {
    const gone = new Set(sent.map((event) => event.id));
    this.write(this.read().filter((event) => !gone.has(event.id)));
  },
};

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Report an event: {kind, product, listing, position, value, text}. */
export function report(event) {
  if (!allowed()) return;
  const known = Object.entries(event).filter(([, value]) => value !== undefined && value !== null && value !== "");
  queue.write([...queue.read(), { id: newId(), at: new Date().toISOString(), ...Object.fromEntries(known) }]);
  later(WAIT_MS);
}

let timer;
function later(ms) {
  timer ??= setTimeout(() => { timer = undefined; send(); }, ms);
}

function batch() {
  const since = Date.now() - OLDEST_MS;
  const fresh = queue.read().filter((event) => Date.parse(event.at) > since);
  return fresh.slice(0, BATCH);
}

function body(events) {
  return new Blob([JSON.stringify({ sent_at: new Date().toISOString(), events })], { type: "application/json" });
}

/** Send a batch and forget it once the server has answered; offline or refused for now, it waits. */
async function send() {
  if (!allowed()) return queue.write([]);
  const events = batch();
  if (!events.length) return queue.write([]);
  let status = 0;
  try {
    status = (await fetch(url, { method: "POST", body: body(events), keepalive: true, credentials: "same-origin" })).status;
  } catch {
    // offline
  }
  const again = status === 0 || status === 429 || status >= 500;
  if (!again) queue.without(events);
  if (queue.read().length) later(again ? RETRY_MS : WAIT_MS);
}

/** The page is left: hand over what waits. A repeat does no harm, the server knows each id. */
function handOver() {
  if (!allowed() || !navigator.onLine) return;
  const events = batch();
  if (events.length && navigator.sendBeacon(url, body(events))) queue.without(events);
}

function place(card) {
  const position = Number.parseInt(card.dataset.shopvisionPosition ?? "", 10);
  return {
    product: card.dataset.shopvisionProduct,
    listing: card.closest("[data-shopvision-listing]")?.dataset.shopvisionListing,
    position: Number.isNaN(position) ? undefined : position,
  };
}

function clicked(event) {
  if (event.type === "auxclick" && event.button !== 1) return;
  const target = event.target instanceof Element ? event.target : null;
  const named = target?.closest("[data-shopvision-event]");
  const card = target?.closest("[data-shopvision-product]");
  if (!card) return;
  if (named) report({ kind: named.dataset.shopvisionEvent, ...place(card) });
  else if (target.closest("a[href]")) report({ kind: "click", ...place(card) });
}

const pending = new Map();
const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      clearTimeout(pending.get(target));
      pending.delete(target);
      if (isIntersecting) pending.set(target, setTimeout(() => seen(target), SEEN_MS));
    }
  },
  { threshold: SEEN_SHARE },
);

function seen(card) {
  observer.unobserve(card);
  pending.delete(card);
  if (!card.isConnected) return; // the list was filled anew
  report({ kind: "impression", ...place(card) });
}

/** Watch the cards of listings that the server did not record itself. */
function watch(root) {
  const lists = root.matches?.("[data-shopvision-observe]") ? [root] : root.querySelectorAll("[data-shopvision-observe]");
  for (const list of lists) for (const card of list.querySelectorAll("[data-shopvision-product]")) observer.observe(card);
}

/** Views: those the server did not record, or could not: a prerendered page, or one that came back from the cache. */
function views(all) {
  for (const mark of document.querySelectorAll("[data-shopvision-view]")) {
    if (all || !("shopvisionRecorded" in mark.dataset)) report({ kind: "view", product: mark.dataset.shopvisionView });
  }
}

if (document.prerendering) document.addEventListener("prerenderingchange", () => views(true), { once: true });
else views(false);
watch(document);
if (allowed() ? queue.read().length : queue.store()?.getItem(KEY)) later(0);
document.addEventListener("click", clicked, true);
document.addEventListener("auxclick", clicked, true);
document.addEventListener("shopvision:shown", (event) => watch(event.target));
document.addEventListener("shopvision:event", (event) => report(event.detail));
document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && handOver());
window.addEventListener("pagehide", handOver);
window.addEventListener("pageshow", (event) => event.persisted && views(true));
window.addEventListener("online", () => { clearTimeout(timer); timer = undefined; later(0); });
