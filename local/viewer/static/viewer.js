// The local viewer: one page that renders JSON from its server. Text from data becomes a text node or an attribute through el(),
// never markup: file names are untrusted.
"use strict";

const POLL_MS = 2000;
const PAGE_SIZE = 60;
const MOST_POLLED = 240;
const UPLOADS_AT_ONCE = 3;
const DEFAULT_CONFIDENCE = 80;
const STATUS_WORDS = {
  ANALYZING: "Analyzing", ANALYZED: "Analyzed", REJECTED: "Rejected", FAILED: "Failed",
  RUNNING: "Running", SUCCEEDED: "Succeeded", TIMED_OUT: "Timed out", ABORTED: "Aborted",
};

const main = document.getElementById("main");
const whole = new Intl.NumberFormat();
const shortMoments = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" });
const moments = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

let current = null; // the view on screen: {stop()}

// --- small tools -------------------------------------------------------------------------------------------------

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function fill(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter(Boolean));
}

async function fetchJson(path, options) {
  const answer = await fetch(path, { headers: { Accept: "application/json" }, ...options });
  let content;
  try {
    content = await answer.json();
  } catch {
    content = {};
  }
  if (!answer.ok) {
    const error = new Error(content.error || `The local stack returned status ${answer.status}.`);
    error.status = answer.status;
    error.position = content.position;
    throw error;
  }
  return content;
}

// Cut, not rounded, as in the messages and the client: 97.16 is 97.1, and 99.99 is not 100. toFixed avoids exponents.
const cut = (confidence) => confidence.toFixed(9).replace(/(\.\d)\d*$/, "$1").replace(/\.0$/, "");
const percent = (confidence) => `${cut(confidence)} %`;
const plural = (count, one, many) => `${whole.format(count)} ${count === 1 ? one : many}`;
const fileName = (key) => (key || "").split("/").pop() || key || "(no name)";
const moment = (iso) => (iso && !Number.isNaN(Date.parse(iso)) ? moments.format(new Date(iso)) : iso || "");

function ago(iso) {
  const seconds = Math.round((Date.now() - Date.parse(iso)) / 1000);
  if (Number.isNaN(seconds)) return "";
  if (seconds < 10) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return shortMoments.format(new Date(iso));
}

function duration(ms) {
  if (ms === undefined || ms === null) return "";
  if (ms < 1000) return `${ms} ms`;
  return ms < 60000 ? `${(ms / 1000).toFixed(2)} s` : `${Math.floor(ms / 60000)} min ${Math.round((ms % 60000) / 1000)} s`;
}

function size(bytes) {
  if (bytes === undefined) return "";
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1000))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function badge(status) {
  return el("span", { class: `badge badge-${(status || "unknown").toLowerCase()}` }, STATUS_WORDS[status] || status || "Unknown");
}

function message(kind, title, ...rest) {
  return el("div", { class: `message message-${kind}`, role: kind === "error" ? "alert" : null },
    el("p", { class: "message-title" }, title), rest.map((one) => (typeof one === "string" ? el("p", {}, one) : one)));
}

function skeleton(count) {
  return el("div", { class: "grid", "aria-label": "Loading", "aria-busy": "true" },
    Array.from({ length: count }, () => el("div", { class: "card skeleton" })));
}

// Polls: sooner after a fast response, later after a slow one, and not in a hidden tab.
function poll(look) {
  let stopped = false;
  let timer = 0;
  async function turn() {
    const began = performance.now();
    if (!document.hidden) {
      try {
        await look();
        connected(null);
      } catch (error) {
        if (!stopped) connected(error);
      }
    }
    if (!stopped) timer = setTimeout(turn, Math.max(POLL_MS, 4 * (performance.now() - began)));
  }
  turn();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

function connected(error) {
  const line = document.getElementById("connection");
  // A 4xx status is about one resource, and its view shows it. This line is about the stack.
  const lost = error && !(error.status >= 400 && error.status < 500);
  const said = lost ? (error.status ? error.message : "The local stack doesn't answer. Is it running (make up)? Trying again …") : "";
  if (line.textContent !== said) line.textContent = said;
  line.hidden = !lost;
}

// --- the confidence slider ------------------------------------------------------------------------------------------

function threshold() {
  const kept = Number(localStorage.getItem("confidence") ?? DEFAULT_CONFIDENCE);
  return kept >= 0 && kept <= 100 ? kept : DEFAULT_CONFIDENCE;
}

function slider(changed) {
  const output = el("output", { for: "confidence" }, `${threshold()} %`);
  const input = el("input", {
    type: "range", id: "confidence", min: 0, max: 100, step: 1, value: threshold(),
    oninput: () => {
      localStorage.setItem("confidence", input.value);
      output.textContent = `${input.value} %`;
      changed();
    },
  });
  const node = el("div", { class: "slider" }, el("label", { for: "confidence" }, "Minimum confidence"), input, output);
  return {
    node,
    set(value) {
      input.value = value;
      input.dispatchEvent(new Event("input"));
    },
  };
}

// --- gallery --------------------------------------------------------------------------------------------------------

const gallery = { order: [], cards: new Map(), next: null, total: 0, loaded: false };

function showGallery() {
  results.path = "";
  document.title = "Images · Imagewatch (local)";
  const grid = el("div", { class: "grid" });
  const below = el("div", { class: "below" });
  const count = el("p", { class: "quiet", role: "status" });
  const body = el("div", {}, gallery.loaded ? grid : skeleton(8));
  fill(main,
    searchBox().node,
    dropZone(),
    el("div", { class: "bar" }, el("h1", {}, "Images"), count),
    body, below);
  gallery.cards.forEach((card) => { card.node = null; });

  function draw() {
    const nodes = gallery.order.map((id) => {
      const card = gallery.cards.get(id);
      card.node ??= galleryCard(card.record);
      return card.node;
    });
    // Only changed nodes are moved, so that focus and scroll position stay.
    nodes.forEach((node, n) => {
      if (grid.children[n] !== node) grid.insertBefore(node, grid.children[n] || null);
    });
    while (grid.children.length > nodes.length) grid.lastChild.remove();
    const said = nodes.length < gallery.total
      ? `the newest ${whole.format(nodes.length)} of ${whole.format(gallery.total)}`
      : plural(nodes.length, "image", "images");
    if (count.textContent !== said) count.textContent = said;
    if (nodes.length) fill(body, grid);
    else fill(body, message("empty", "No images yet.", "Drop a photo above, or upload a folder from a terminal:",
      el("pre", {}, "imagewatch upload ~/Pictures --recursive --wait")));
    if (!gallery.next) fill(below);
    else if (!below.firstChild) fill(below, el("button", { type: "button", class: "button", onclick: more }, "Show more"));
  }

  async function look() {
    const limit = Math.min(Math.max(PAGE_SIZE, gallery.order.length), MOST_POLLED);
    try {
      take(await fetchJson(`/api/images?limit=${limit}`));
    } catch (error) {
      if (!gallery.loaded) fill(body, message("error", "The images can't be read.", error.message));
      throw error;
    }
    draw();
  }

  async function more(event) {
    const button = event.currentTarget;
    button.disabled = true;
    button.textContent = "Loading …";
    try {
      const page = await fetchJson(`/api/images?limit=${PAGE_SIZE}&after=${encodeURIComponent(gallery.next)}`);
      const first = page.images[0]?.ImageId;
      page.images.forEach(remember);
      gallery.next = page.next;
      fill(below);
      sort();
      draw();
      gallery.cards.get(first)?.node?.focus();
    } catch (error) {
      button.disabled = false;
      button.textContent = `Show more (${error.message})`;
    }
  }

  if (gallery.loaded) draw();
  return { stop: poll(look) };
}

// Merges the newest page into the gallery. Images that should be in the page and aren't were deleted.
function take(page) {
  const here = new Set(page.images.map((record) => record.ImageId));
  const last = page.images.at(-1);
  for (const id of gallery.order) {
    const record = gallery.cards.get(id).record;
    const within = !page.next || before(last, record) > 0;
    if (within && !here.has(id)) gallery.cards.delete(id);
  }
  page.images.forEach(remember);
  if (gallery.cards.size <= page.images.length) gallery.next = page.next;
  gallery.total = Math.max(page.total, gallery.cards.size);
  gallery.loaded = true;
  sort();
}

function remember(record) {
  const known = gallery.cards.get(record.ImageId);
  const text = JSON.stringify(record);
  if (known?.text !== text) gallery.cards.set(record.ImageId, { record, text, node: null });
}

function before(one, other) {
  const [a, b] = [one, other].map((record) => `${record.UploadedAt} ${record.ImageId}`);
  return a < b ? 1 : a > b ? -1 : 0;
}

function sort() {
  gallery.order = [...gallery.cards.values()].map((card) => card.record).sort(before).map((record) => record.ImageId);
}

function galleryCard(record) {
  const name = fileName(record.Key);
  const notes = [];
  for (const rule of record.MatchedRules || []) notes.push(el("span", { class: rule.endsWith(" (muted)") ? "flag flag-muted" : "flag flag-match" }, `⚑ ${rule}`));
  if (record.RulesOmitted) notes.push(el("span", { class: "flag flag-match" }, `⚑ ${omitted(record)}`));
  if (record.Moderation?.Status === "NOT_CHECKED") notes.push(el("span", { class: "flag" }, "not moderated"));
  if (record.Moderation?.Scope) notes.push(el("span", { class: "flag" }, `checked for ${record.Moderation.Scope}`));
  for (const label of record.Moderation?.Labels || []) notes.push(el("span", { class: "flag flag-moderation" }, `⚠ ${label}`));
  return el("a", { class: "card", href: `/images/${encodeURIComponent(record.ImageId)}` },
    el("div", { class: "thumb" }, thumbnail(record), badge(record.Status)),
    el("div", { class: "card-text" },
      el("p", { class: "card-name", title: record.Key }, name),
      el("p", { class: "quiet card-meta" }, `${record.Source || ""} · `, el("time", { datetime: record.UploadedAt, title: moment(record.UploadedAt) }, ago(record.UploadedAt))),
      record.Status !== "ANALYZED" && record.Reason ? el("p", { class: "card-reason" }, record.Reason) : null,
      record.Found?.length ? el("p", { class: "chips" }, record.Found.slice(0, 5).map(foundChip))
      : record.BestLabels?.length
        ? el("p", { class: "chips" }, record.BestLabels.slice(0, 3).map((label) => el("span", { class: "chip" }, `${label.Name} `, el("b", {}, percent(label.Confidence)))))
        : record.Status === "ANALYZED" ? el("p", { class: "quiet" }, "No labels") : null,
      notes.length ? el("p", { class: "chips" }, notes) : null));
}

const foundChip = (one) => el("span", { class: "chip chip-found" }, one.Field === "label" ? one.Name : `${one.Field}: ${one.Name}`, one.Confidence === null ? null : [" ", el("b", {}, percent(one.Confidence))]);

function thumbnail(record) {
  const nothing = () => el("span", { class: "no-picture", "aria-hidden": "true" }, record.Status === "ANALYZING" ? "…" : "no picture");
  // A failed image may have no thumbnail; the server then sends what was uploaded, if a browser can show it.
  if (!record.Thumbnail && record.Status === "ANALYZING") return nothing();
  const image = el("img", {
    src: `/thumbnails/${encodeURIComponent(record.ImageId)}?v=${encodeURIComponent(record.Version || "")}`, alt: "", loading: "lazy", decoding: "async",
    onerror: () => image.replaceWith(nothing()),
  });
  return image;
}

// --- search ---------------------------------------------------------------------------------------------------------

const results = { path: "" }; // the search from which an image was opened
const asked = () => new URLSearchParams(location.search).get("q") || "";
const NAME_FIELDS = ["label", "category", "moderation", "text", "source", "rule"];

// The word at the cursor that a name can complete: where it begins, its field and what is typed of it.
function wordAt(text, cursor) {
  const before = text.slice(0, cursor);
  const quotes = (before.match(/"/g) || []).length;
  const start = quotes % 2 ? before.lastIndexOf('"') : Math.max(...[" ", "(", ")"].map((end) => before.lastIndexOf(end))) + 1;
  const typed = before.slice(start).replace(/^-/, "");
  const begin = cursor - typed.length;
  const fieldEnd = quotes % 2 ? -1 : typed.indexOf(":");
  if (fieldEnd < 0) {
    const behind = quotes % 2 && before.slice(0, start).match(/([a-z]+):$/i);
    return { begin, field: behind ? behind[1].toLowerCase() : "label", prefix: typed.replace(/^"/, "") };
  }
  return { begin: begin + fieldEnd + 1, field: typed.slice(0, fieldEnd).toLowerCase(), prefix: typed.slice(fieldEnd + 1) };
}

// A name as a query writes it: in quotes unless it is one plain word that is no operator.
const written = (name) => (/^[\p{L}\p{N}]+$/u.test(name) && !/^(and|or|not)$/i.test(name) ? name : `"${name.replace(/["\\]/g, " ")}"`);

function searchBox() {
  const names = el("ul", { id: "names", class: "names", role: "listbox", "aria-label": "Names", hidden: true });
  const pointer = el("div", { id: "query-mistake", class: "query-mistake", role: "alert" });
  const input = el("input", {
    id: "query", name: "q", type: "text", value: asked(), placeholder: 'person and (car or "traffic light":90) not night',
    autocomplete: "off", spellcheck: "false", autocapitalize: "none", role: "combobox", "aria-expanded": "false",
    "aria-controls": "names", "aria-autocomplete": "list", "aria-describedby": "query-mistake",
    oninput: () => { clearTimeout(timer); timer = setTimeout(propose, 120); }, onkeydown: choose, onblur: () => setTimeout(close, 150),
  });
  const node = el("form", { class: "search", role: "search", onsubmit: submit },
    el("label", { for: "query", class: "visually-hidden" }, "Search"), el("div", { class: "query" }, input, names),
    el("button", { type: "submit", class: "button" }, "Search"),
    asked() ? el("a", { href: "/", class: "button" }, "Clear") : null,
    pointer,
    el("details", { class: "search-help" }, el("summary", {}, "What can be searched"), searchHelp()));
  let timer = 0;
  let turn = 0;
  let active = -1;

  function submit(event) {
    event.preventDefault();
    close();
    const text = input.value.trim();
    go(text ? `/?q=${encodeURIComponent(text)}` : "/");
  }

  async function propose() {
    const word = wordAt(input.value, input.selectionStart);
    const mine = turn += 1;
    if (!word.prefix || !NAME_FIELDS.includes(word.field)) return close();
    const found = await fetchJson(`/api/names?field=${word.field}&prefix=${encodeURIComponent(word.prefix)}`).catch(() => ({ names: [] }));
    if (mine !== turn || document.activeElement !== input) return undefined;
    active = -1;
    fill(names, found.names.map((one, n) => el("li", { role: "option", id: `name-${n}`, "aria-selected": "false", onpointerdown: (event) => { event.preventDefault(); take(one.name); } },
      el("span", {}, one.name), el("span", { class: "quiet" }, plural(one.images, "image", "images")))));
    show(found.names.length > 0);
    return undefined;
  }

  function take(name) {
    const cursor = input.selectionStart;
    const { begin } = wordAt(input.value, cursor);
    const rest = input.value.slice(cursor).replace(/^"/, "");
    const head = input.value.slice(0, begin).replace(/"$/, "") + written(name);
    input.value = head + (rest || " ");
    input.setSelectionRange(head.length + 1, head.length + 1);
    close();
    input.focus();
  }

  function choose(event) {
    if (event.key === "Escape") close();
    if (names.hidden || !["ArrowDown", "ArrowUp", "Enter", "Tab"].includes(event.key)) return;
    const options = [...names.children];
    if (event.key === "Enter" || event.key === "Tab") {
      if (active < 0) return;
      event.preventDefault();
      take(options[active].firstChild.textContent);
      return;
    }
    event.preventDefault();
    active = (active + (event.key === "ArrowDown" ? 1 : -1) + options.length) % options.length;
    options.forEach((option, n) => option.setAttribute("aria-selected", String(n === active)));
    options[active].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", options[active].id);
  }

  function show(open) {
    names.hidden = !open;
    input.setAttribute("aria-expanded", String(open));
    if (!open) input.removeAttribute("aria-activedescendant");
  }

  function close() {
    turn += 1;
    active = -1;
    show(false);
  }

  return {
    node,
    // Shows the mistake below the query, with a caret below its character.
    point(error) {
      input.setAttribute("aria-invalid", String(Boolean(error)));
      if (!error) return fill(pointer);
      const at = [...asked()].slice(0, error.position).join("").length;
      fill(pointer, Number.isInteger(error.position) ? el("pre", {}, asked().slice(0, at), el("mark", {}, asked().slice(at, at + 1) || " "), asked().slice(at + 1), "\n", el("span", { "aria-hidden": "true" }, `${" ".repeat(at)}^`)) : null, el("p", {}, error.message));
      if (Number.isInteger(error.position)) {
        input.focus();
        input.setSelectionRange(at, at + 1);
      }
      return undefined;
    },
  };
}

function searchHelp() {
  const rows = [
    ["person car", "both; “and” may be left out"], ["person or car", "one of them, or both"], ["not night", "everything without it; also -night"],
    ["person:90", "with at least this confidence"], ['"traffic light"', "a name of several words"], ["text:visitors", "a word in the image"],
    ["source:gate-2", "from this camera or host"], ["rule:gate", "matched by this rule"], ["status:failed", "also rejected, analyzing, analyzed"],
    ["taken:2027-05..2027-07", "days at the place"], ["time:22:00-06:00", "time of day at the place"], ["sort:confidence", "another order; also sort:oldest"],
  ];
  return el("dl", {}, rows.map(([query, words]) => el("div", {}, el("dt", {}, el("a", { href: `/?q=${encodeURIComponent(query)}` }, el("code", {}, query))), el("dd", { class: "quiet" }, words))));
}

function showResults() {
  const text = asked();
  document.title = `${text} · Imagewatch (local)`;
  const box = searchBox();
  const count = el("p", { class: "quiet", role: "status" });
  const notes = el("div", { class: "notes" });
  const grid = el("div", { class: "grid" });
  const body = el("div", {}, skeleton(4));
  const below = el("div", { class: "below" });
  let timer = 0;
  let turn = 0;
  let hidden = 0;
  const scale = slider(() => { clearTimeout(timer); timer = setTimeout(begin, 250); });
  const bar = el("div", { class: "bar" }, el("h1", {}, "Results"), count, scale.node);
  fill(main, box.node, bar, notes, body, below);
  results.path = `/?q=${encodeURIComponent(text)}`;

  function begin() {
    hidden = 0;
    grid.replaceChildren();
    fill(below);
    return load("");
  }

  async function load(after) {
    const mine = turn += 1;
    const confidence = threshold();
    let page;
    try {
      page = await fetchJson(`/api/search?q=${encodeURIComponent(text)}&confidence=${confidence}&limit=${PAGE_SIZE}&after=${encodeURIComponent(after)}`);
    } catch (error) {
      if (mine !== turn) return;
      count.textContent = "";
      fill(notes);
      fill(body);
      bar.hidden = true;
      box.point(error);
      return;
    }
    if (mine !== turn) return;
    box.point(null);
    bar.hidden = false;
    hidden += page.hidden;
    grid.append(...page.images.map(galleryCard));
    const shown = grid.children.length;
    count.textContent = page.next ? `the first ${plural(shown, "image", "images")}` : plural(shown, "image", "images");
    fill(notes, after ? [...notes.children].filter((one) => one.dataset.unknown) : page.unknown.map(unknownNote), hiddenNote(page, confidence), page.cutShort ? cutNote(page) : null);
    fill(body, shown ? grid : page.next ? null : message("empty", "No image matches."));
    fill(below, page.next ? el("button", { type: "button", class: "button", onclick: more(page.next) }, page.cutShort ? "Search further" : "Show more") : null);
  }

  const more = (next) => async (event) => {
    event.currentTarget.disabled = true;
    event.currentTarget.textContent = "Loading …";
    const first = grid.children.length;
    await load(next);
    grid.children[first]?.focus();
  };

  function hiddenNote(page, confidence) {
    if (!hidden) return null;
    const least = page.hiddenExact ? "" : "at least ";
    const words = `${least}${plural(hidden, "image is", "images are")} hidden below ${confidence} %${page.next ? " so far" : ""}. `;
    return el("p", { class: "quiet" }, words.charAt(0).toUpperCase() + words.slice(1), el("button", { type: "button", class: "link", onclick: () => scale.set(0) }, "Show all"));
  }

  const cutNote = (page) => el("p", { class: "quiet" }, `The search stopped at ${moment(page.reached)}, after 5,000 index rows. There may be more images.`);

  function unknownNote(one) {
    const links = one.suggestions.flatMap((term, n) => [n ? " or " : " Did you mean ", suggestionLink(one.term, term)]);
    return el("p", { "data-unknown": true }, "No image has ", el("b", {}, one.term), ".", links, links.length ? "?" : null);
  }

  // The query with the suggestion in place of the name. Where the query writes the name in another form: the suggestion alone.
  function suggestionLink(term, suggestion) {
    const at = text.toLowerCase().indexOf(term.toLowerCase());
    const query = at < 0 ? suggestion : text.slice(0, at) + suggestion + text.slice(at + term.length);
    return el("a", { href: `/?q=${encodeURIComponent(query)}` }, suggestion);
  }

  begin();
  return { stop() { turn += 1; clearTimeout(timer); } };
}

// --- uploads --------------------------------------------------------------------------------------------------------

const uploads = { waiting: [], running: 0, rows: [] };

function dropZone() {
  const input = el("input", { type: "file", id: "files", multiple: true, class: "visually-hidden", onchange: () => { upload(input.files); input.value = ""; } });
  const list = el("ul", { class: "uploads", id: "uploads", "aria-live": "polite" });
  fill(list, uploads.rows.slice(-12).reverse().map((row) => row.node));
  return el("section", { class: "drop", "aria-label": "Upload" },
    el("p", {}, "Drop photos here, or ", input, el("label", { for: "files", class: "button" }, "choose files")),
    el("p", { class: "quiet" }, "They are uploaded to ", el("code", {}, "uploads/browser/"), " and analyzed by the workflow."),
    list);
}

function upload(files) {
  for (const file of files) {
    const said = el("span", { class: "quiet" }, "waiting");
    const row = { file, said, node: el("li", {}, el("span", { class: "upload-name" }, file.name), " ", said) };
    uploads.rows.push(row);
    uploads.waiting.push(row);
    document.getElementById("uploads")?.prepend(row.node);
  }
  const list = document.getElementById("uploads");
  while (list && list.children.length > 12) list.lastChild.remove();
  sendNext();
}

function sendNext() {
  while (uploads.running < UPLOADS_AT_ONCE && uploads.waiting.length) {
    uploads.running += 1;
    send(uploads.waiting.shift()).finally(() => {
      uploads.running -= 1;
      sendNext();
    });
  }
}

async function send(row) {
  row.said.textContent = "uploading …";
  try {
    const stored = await fetchJson(`/api/uploads/${encodeURIComponent(row.file.name)}`, { method: "PUT", body: row.file, headers: { "X-Imagewatch": "upload" } });
    const did = stored.Again ? "uploaded again: the same picture was there already" : "uploaded";
    const renamed = stored.RenamedFrom ? ` as ${stored.Key.split("/").pop()}: another picture has this name` : "";
    row.said.replaceChildren(el("a", { href: `/images/${stored.ImageId}` }, did + renamed));
  } catch (error) {
    row.said.className = "bad";
    row.said.textContent = error.message;
  }
}

let dragDepth = 0;
const veil = document.getElementById("drop-veil");
const hasFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
addEventListener("dragenter", (event) => { if (hasFiles(event)) { dragDepth += 1; veil.hidden = false; } });
addEventListener("dragleave", (event) => { if (hasFiles(event) && (dragDepth -= 1) <= 0) { dragDepth = 0; veil.hidden = true; } });
addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
addEventListener("drop", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  dragDepth = 0;
  veil.hidden = true;
  upload(event.dataTransfer.files);
  galleryScroll = 0; // the newest images are on top
  if (location.pathname !== "/" || asked()) go("/");
});

// --- one image ------------------------------------------------------------------------------------------------------

function showImage(id) {
  document.title = "Image · Imagewatch (local)";
  let drawn = "";
  let redraw = () => {};
  const scale = slider(() => redraw());
  const steps = stepsSection();
  fill(main, back(), message("loading", "Loading the image …"));

  async function look() {
    let record;
    try {
      record = await fetchJson(`/api/images/${encodeURIComponent(id)}`);
    } catch (error) {
      if (!drawn || error.status === 404) {
        drawn = "";
        const missing = error.status === 404;
        fill(main, back(), message("error", missing ? "This image isn't there." : "The image can't be read.", error.message,
          missing ? "If it was just uploaded, it will appear here." : ""));
      }
      throw error;
    }
    const text = JSON.stringify(record);
    if (text !== drawn) {
      drawn = text;
      const focused = document.activeElement?.id;
      redraw = drawImage(record, scale, steps);
      if (focused) document.getElementById(focused)?.focus();
    }
    await steps.show(record);
  }
  return { stop: poll(look) };
}

function back() {
  const at = (step) => {
    const n = gallery.order.indexOf(decodeURIComponent(location.pathname.split("/")[2] || ""));
    return n < 0 ? null : gallery.order[n + step];
  };
  const beside = (step, words) => (at(step) ? el("a", { href: `/images/${at(step)}` }, words) : null);
  return el("nav", { class: "back", "aria-label": "Images" }, el("a", { href: results.path || "/" }, results.path ? "← Results" : "← All images"), el("span", { class: "beside" }, beside(-1, "Newer"), beside(1, "Older")));
}

// The steps of an image's execution. They are read when they are opened, and while they are open.
function stepsSection() {
  const body = el("div", {});
  const folded = el("details", { id: "steps", open: location.hash === "#steps", ontoggle: () => show(shown) }, el("summary", {}, "Steps of the analysis"), body);
  const node = el("section", { class: "image-steps", hidden: true }, folded);
  let shown = null;
  let drawn = "";
  async function show(record) {
    shown = record;
    node.hidden = !record?.ExecutionArn;
    if (node.hidden || !folded.open) return;
    const arn = encodeURIComponent(record.ExecutionArn);
    try {
      const execution = await fetchJson(`/api/executions/${arn}`);
      const text = JSON.stringify(execution);
      if (text === drawn) return;
      drawn = text;
      fill(body, stepList(execution, openedIn(body)), el("p", {}, el("a", { href: `/executions/${arn}` }, "All events")));
    } catch (error) {
      drawn = "";
      fill(body, message("error", "The steps can't be shown.", error.message));
    }
  }
  return { node, show };
}

function drawImage(record, scale, steps) {
  const name = fileName(record.Key);
  document.title = `${name} · Imagewatch (local)`;
  const overlay = el("div", { class: "boxes" });
  const labels = el("div", {});
  fill(main, back(),
    el("div", { class: "bar" }, el("h1", { class: "break" }, name), badge(record.Status)),
    record.Status !== "ANALYZED" && record.Reason ? message(record.Status === "ANALYZING" ? "info" : "error", record.Reason) : null,
    record.AlertFailure ? message("error", `Alerts could not be sent: ${record.AlertFailure}`) : null,
    el("div", { class: "detail" },
      el("div", { class: "detail-picture" }, stage(record, overlay), record.Conversion ? el("p", { class: "quiet" }, `↻ ${record.Conversion}`) : null, record.Coverage ? el("p", { class: "coverage" }, record.Coverage) : null),
      el("div", { class: "detail-text" },
        rulesSection(record),
        (record.Labels || []).length || ["ANALYZED", "ANALYZING"].includes(record.Status)
          ? el("section", {}, el("h2", {}, "Labels"), (record.Labels || []).length ? scale.node : null, labels) : null,
        moderationSection(record),
        textSection(record),
        factsSection(record))),
    steps.node);
  const redraw = () => drawLabels(record, labels, overlay, scale);
  redraw();
  return redraw;
}

function stage(record, overlay) {
  const nothing = () => el("div", { class: "no-picture no-picture-large" }, record.Status === "ANALYZING" ? "The picture is being read …" : "There is no picture to show.");
  const image = el("img", {
    src: `/pictures/${encodeURIComponent(record.ImageId)}?v=${encodeURIComponent(record.Version || "")}&at=${encodeURIComponent(record.AnalyzedAt || record.Status || "")}`,
    alt: describe(record), onerror: () => frame.replaceWith(nothing()),
  });
  // The upright size that the boxes refer to. Setting it avoids a layout shift when the picture loads.
  if (record.Width && record.Height) {
    image.width = record.Width;
    image.height = record.Height;
  }
  const frame = el("div", { class: "stage" }, image, overlay);
  if (record.Width && record.Height) {
    frame.style.setProperty("--ratio", record.Width / record.Height);
    frame.style.setProperty("--widest", `${Math.max(record.Width, Math.min(record.Width * 3, 760))}px`);
  }
  return frame;
}

function describe(record) {
  const names = (record.Labels || []).slice(0, 4).map((label) => label.Name);
  return names.length ? `${fileName(record.Key)}: ${names.join(", ")}` : fileName(record.Key);
}

function drawLabels(record, list, overlay, scale) {
  const least = threshold();
  const all = [...(record.Labels || [])].sort((a, b) => b.Confidence - a.Confidence);
  const shown = all.filter((label) => label.Confidence >= least);
  const hidden = all.length - shown.length;
  const boxes = new Map(); // by position: a person and a face can share one box, which then has both names
  const items = shown.map((label, n) => {
    const hue = (n * 67 + 210) % 360;
    const own = (label.Instances || []).filter((one) => one.BoundingBox && (one.Confidence ?? 100) >= least).map((one) => {
      const place = ["Left", "Top", "Width", "Height"].map((side) => Math.round((one.BoundingBox[side] || 0) * 200)).join();
      if (boxes.has(place)) boxes.get(place).firstChild.prepend(`${label.Name}, `);
      else boxes.set(place, box(label.Name, one, hue));
      return boxes.get(place);
    });
    return labelRow(label, own, hue);
  });
  fill(overlay, [...boxes.values()]);
  fill(list,
    items.length ? el("ul", { class: "labels" }, items) : null,
    !all.length ? el("p", { class: "quiet" }, record.Status === "ANALYZED" ? "Nothing was recognised above the floor confidence." : "None yet.") : null,
    record.LabelsOmitted ? el("p", { class: "quiet" }, `${plural(record.LabelsOmitted, "more label", "more labels")} from Rekognition were not stored.`) : null,
    hidden ? el("p", { class: "hidden-note", role: "status" }, `${plural(hidden, "label", "labels")} hidden below ${least} %. `,
      el("button", { type: "button", class: "link", onclick: () => scale.set(0) }, "Show all")) : null);
}

function box(name, instance, hue) {
  const { Left = 0, Top = 0, Width = 0, Height = 0 } = instance.BoundingBox;
  const node = el("div", { class: "box" }, el("span", {}, `${name} ${percent(instance.Confidence ?? 0)}`));
  const inside = (ratio) => `${Math.min(Math.max(ratio, 0), 1) * 100}%`;
  node.style.left = inside(Left);
  node.style.top = inside(Top);
  node.style.width = inside(Math.min(Width, 1 - Math.max(Left, 0)));
  node.style.height = inside(Math.min(Height, 1 - Math.max(Top, 0)));
  node.style.setProperty("--hue", hue);
  return node;
}

function labelRow(label, boxes, hue) {
  const light = (on) => () => boxes.forEach((one) => one.classList.toggle("lit", on));
  const about = [
    (label.Parents || []).length ? `under ${label.Parents.join(", ")}` : "",
    (label.Aliases || []).length ? `also ${label.Aliases.join(", ")}` : "",
    (label.Categories || []).join(", "),
  ].filter(Boolean).join(" · ");
  const meter = el("span", { class: "meter", "aria-hidden": "true" }, el("span", {}));
  meter.firstChild.style.width = `${Math.min(Math.max(label.Confidence, 0), 100)}%`;
  const row = el("li", {
    tabindex: boxes.length ? 0 : null, onmouseenter: light(true), onmouseleave: light(false), onfocus: light(true), onblur: light(false),
  },
    el("span", { class: boxes.length ? "dot" : "dot dot-none", "aria-hidden": "true" }),
    el("span", { class: "label-name" }, label.Name, boxes.length > 1 ? ` × ${boxes.length}` : ""),
    meter, el("b", {}, percent(label.Confidence)),
    about ? el("span", { class: "quiet label-about" }, about) : null);
  row.style.setProperty("--hue", hue);
  return row;
}

function rulesSection(record) {
  const rules = record.MatchedRules || [];
  if (!rules.length) return record.Status === "ANALYZED" ? el("section", {}, el("h2", {}, "Watchlist"), el("p", { class: "quiet" }, "No rule matched.")) : null;
  return el("section", {}, el("h2", {}, "Watchlist"),
    el("ul", { class: "rules" }, rules.map((rule) => el("li", {}, el("strong", {}, `⚑ ${rule.Name || rule.RuleId}`), rule.Muted ? ` (${rule.Muted.startsWith("muted ") ? "" : "muted: "}${rule.Muted})` : "",
      (rule.Matches || []).map((match) => el("p", { class: "quiet" }, `“${match.Term}” matched ${match.Label} (${percent(match.Confidence)})`))))),
    record.RulesOmitted ? el("p", {}, `⚑ ${omitted(record)}. The record has no room for them. They raise no alert.`) : null);
}

function omitted(record) {
  return record.RulesOmitted === 1 ? "1 more rule matches" : `${record.RulesOmitted} more rules match`;
}

function moderationSection(record) {
  const moderation = record.Moderation;
  if (!moderation?.Status) return null;
  const found = moderation.Labels || [];
  const checked = moderation.Status === "CHECKED";
  let said;
  if (!checked) said = el("p", { class: "not-checked" }, el("strong", {}, "Not checked. "), moderation.Reason || "The image was not moderated.");
  else if (!found.length) said = el("p", {}, moderation.Scope ? "Nothing found." : "Checked: nothing found.");
  else said = el("ul", { class: "moderation" }, found.map((label) => el("li", {},
    el("strong", {}, [...(label.Parents || [])].reverse().concat(label.Name).join(" › ")), " ", el("b", {}, percent(label.Confidence)))));
  const scope = moderation.Scope ? el("p", { class: "not-checked" }, `Checked for ${moderation.Scope}.`) : null;
  return el("section", {}, el("h2", {}, "Moderation"), said, scope,
    checked && moderation.ModelVersion ? el("p", { class: "quiet" }, `Model ${moderation.ModelVersion}`) : null);
}

function textSection(record) {
  const lines = (record.Text || []).filter((one) => one.Type !== "WORD");
  if (!lines.length) return record.TextUnavailable ? el("section", {}, el("h2", {}, "Text in the image"), el("p", { class: "not-checked" }, record.TextUnavailable)) : null;
  return el("section", {}, el("h2", {}, "Text in the image"),
    el("ul", {}, lines.map((line) => el("li", {}, `${line.Text} `, el("span", { class: "quiet" }, percent(line.Confidence))))));
}

function factsSection(record) {
  const facts = [
    ["Object", record.Key ? `s3://${record.Bucket}/${record.Key}` : ""],
    ["Picture", [record.Format, record.Width && `${record.Width} × ${record.Height} px`, size(record.Size)].filter(Boolean).join(" · ")],
    ["Source", record.Source],
    ["Uploaded", moment(record.UploadedAt)],
    ["Analyzed", record.AnalyzedAt ? `${moment(record.AnalyzedAt)} (${duration(Date.parse(record.AnalyzedAt) - Date.parse(record.ReceivedAt || record.UploadedAt))} after upload)` : ""],
    ["Models", Object.entries(record.ModelVersions || {}).map(([name, version]) => `${name} ${version}`).join(" · ")],
    ["Image id", record.ImageId],
  ].filter(([, value]) => value);
  return el("section", {}, el("h2", {}, "About"),
    el("dl", { class: "facts" }, facts.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]),
      record.ExecutionArn ? [el("dt", {}, "Execution"), el("dd", {}, el("a", { href: `/executions/${encodeURIComponent(record.ExecutionArn)}` }, "Execution history"))] : null));
}

// --- an execution ---------------------------------------------------------------------------------------------------

function showExecution(arn) {
  document.title = "Execution · Imagewatch (local)";
  let drawn = "";
  fill(main, message("loading", "Loading the history …"));
  async function look() {
    let execution;
    try {
      execution = await fetchJson(`/api/executions/${encodeURIComponent(arn)}`);
    } catch (error) {
      if (!drawn) fill(main, el("nav", { class: "back" }, el("a", { href: "/" }, "← All images")), message("error", "The history can't be shown.", error.message));
      throw error;
    }
    const text = JSON.stringify(execution);
    if (text === drawn) return;
    drawn = text;
    drawExecution(execution);
  }
  return { stop: poll(look) };
}

function drawExecution(execution) {
  document.title = `${execution.Name} · Imagewatch (local)`;
  const opened = openedIn(main);
  const summary = [
    execution.DurationMs !== undefined ? `${duration(execution.DurationMs)}` : "running",
    plural(execution.Steps.length, "state entered", "states entered"), plural(execution.Events.length, "event", "events"), `started ${moment(execution.StartedAt)}`,
  ].join(" · ");
  fill(main,
    el("nav", { class: "back" }, el("a", { href: execution.ImageId ? `/images/${execution.ImageId}` : "/" }, execution.ImageId ? "← The image" : "← All images")),
    el("div", { class: "bar" }, el("h1", { class: "break" }, execution.Name), badge(execution.Status)),
    el("p", { class: "quiet" }, summary),
    execution.Error || execution.Cause ? message("error", execution.Error || "The execution failed.", execution.Cause || "") : null,
    el("h2", {}, "What happened"),
    stepList(execution, opened),
    el("details", { id: "events", open: opened.has("events") }, el("summary", {}, `All ${execution.Events.length} events`),
      el("ol", { class: "events" }, execution.Events.map((event) => el("li", {},
        el("span", { class: "quiet" }, `${event.Id} · +${duration(event.AfterMs)}`), " ", el("strong", {}, event.Type), event.State ? ` ${event.State}` : "",
        event.Details ? el("details", { id: `event-${event.Id}`, open: opened.has(`event-${event.Id}`) }, el("summary", {}, "Details"), el("pre", {}, event.Details)) : null)))),
    el("h2", {}, "In a terminal"),
    el("pre", {}, `aws stepfunctions get-execution-history --execution-arn '${execution.Arn}'${execution.EndpointUrl ? ` --endpoint-url ${execution.EndpointUrl}` : ""}`));
}

const STEP_WORDS = { RUNNING: "running …", FAILED: "failed", ABORTED: "aborted", SUCCEEDED: "" };

function stepRow(step, n, execution, longest, opened) {
  const errors = step.Attempts.filter((attempt) => attempt.Error);
  const bar = el("span", { class: "meter", "aria-hidden": "true" }, el("span", {}));
  const start = Date.parse(step.EnteredAt) - Date.parse(execution.StartedAt);
  bar.firstChild.style.marginLeft = `${Math.min(start / longest, 1) * 100}%`;
  bar.firstChild.style.width = `${Math.max(((step.DurationMs || 0) / longest) * 100, 0.6)}%`;
  const row = el("li", { class: `step step-${step.Status.toLowerCase()}` },
    el("p", { class: "step-line" }, el("strong", {}, step.State), el("span", { class: "quiet" }, step.Type),
      step.Attempts.length > 1 ? el("span", { class: "flag" }, plural(step.Attempts.length, "attempt", "attempts")) : null,
      el("span", { class: "step-time" }, [STEP_WORDS[step.Status], duration(step.DurationMs)].filter(Boolean).join(" · "))),
    bar,
    step.Error ? el("p", { class: "bad" }, `${step.Error}: ${step.Cause || ""}`) : null,
    errors.map((attempt) => el("p", { class: "bad" }, `Attempt ${step.Attempts.indexOf(attempt) + 1}: ${attempt.Error}${attempt.Cause ? `: ${attempt.Cause}` : ""}`)),
    step.Input ? data("Input", step.Input, `input-${n}`, opened) : null,
    step.Output ? data("Output", step.Output, `output-${n}`, opened) : null);
  row.style.setProperty("--depth", step.Within.length);
  return row;
}

function stepList(execution, opened) {
  const longest = Math.max(execution.DurationMs || 0, ...execution.Steps.map((step) => step.DurationMs || 0), 1);
  return el("ol", { class: "steps" }, execution.Steps.map((step, n) => stepRow(step, n, execution, longest, opened)));
}

// A step's JSON, folded. It stays open when the steps are drawn again.
function data(title, json, id, opened) {
  let text = json;
  try {
    text = JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    // GetExecutionHistory cuts long data: it is shown as it is.
  }
  return el("details", { id, open: opened.has(id) }, el("summary", {}, title), el("pre", {}, text));
}

const openedIn = (node) => new Set([...node.querySelectorAll("details[open]")].map((one) => one.id));

// --- the mailbox ----------------------------------------------------------------------------------------------------

function showMailbox(number) {
  document.title = "Mailbox · Imagewatch (local)";
  const body = el("div", {}, message("loading", "Loading the mailbox …"));
  fill(main, el("div", { class: "bar" }, el("h1", {}, "Mailbox"), el("p", { class: "quiet" }, "E-mails that SNS would send. They stay on this machine.")), body);
  let drawn = "";
  async function look() {
    let mails;
    try {
      ({ mails } = await fetchJson("/api/mailbox"));
    } catch (error) {
      if (!drawn) fill(body, message("error", "The mailbox can't be read.", error.message));
      throw error;
    }
    countMails(mails.length);
    const text = JSON.stringify(mails);
    if (text === drawn) return;
    const focused = body.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    drawn = text;
    fill(body, mails.length ? drawMails(mails, number) : message("empty", "No e-mails yet.", "An alert arrives here when an image matches a rule of the watchlist."));
    if (focused) [...body.querySelectorAll("a")].find((one) => one.getAttribute("href") === focused)?.focus();
  }
  return { stop: poll(look) };
}

function drawMails(mails, number) {
  const chosen = mails.find((mail) => mail.number === number) || (number ? null : mails[0]);
  return el("div", { class: number ? "mailbox mailbox-open" : "mailbox" },
    el("ul", { class: "mail-list" }, mails.map((mail) => el("li", {},
      el("a", { href: `/mailbox/${mail.number}`, "aria-current": mail === chosen ? "true" : null },
        el("span", { class: "mail-subject" }, mail.subject || "(no subject)"), el("span", { class: "quiet" }, `${mail.to} · `, el("time", { datetime: mail.at, title: moment(mail.at) }, ago(mail.at))))))),
    chosen
      ? el("article", { class: "mail" },
        el("p", { class: "mail-back" }, el("a", { href: "/mailbox" }, "← All e-mails")),
        el("h2", { class: "break" }, chosen.subject || "(no subject)"), el("p", { class: "quiet" }, `To ${chosen.to} · ${moment(chosen.at)}`), el("div", { class: "mail-body" }, withLinks(chosen.body || "")))
      : message("error", "This e-mail isn't there.", "The stack may have been restarted."));
}

// URLs become links, other text stays text. A link to this page opens without reloading it.
function withLinks(text) {
  return text.split(/(https?:\/\/[^\s<>"]+)/).map((part, n) => {
    if (n % 2 === 0) return part;
    let address;
    try {
      address = new URL(part);
    } catch {
      return part;
    }
    const here = address.origin === location.origin;
    return el("a", here ? { href: address.pathname } : { href: address.href, target: "_blank", rel: "noopener noreferrer" }, part);
  });
}

function countMails(count) {
  const node = document.getElementById("mail-count");
  node.textContent = whole.format(count);
  node.hidden = !count;
  node.setAttribute("aria-label", plural(count, "e-mail", "e-mails"));
}

// --- which view -----------------------------------------------------------------------------------------------------

function route() {
  const [, place = "", ...rest] = location.pathname.split("/");
  const given = decodeURIComponent(rest.join("/"));
  current?.stop();
  document.querySelectorAll("[data-nav]").forEach((link) => {
    const here = link.dataset.nav === (place === "mailbox" ? "mailbox" : "images");
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  });
  if (place === "images") current = showImage(given);
  else if (place === "executions") current = showExecution(given);
  else if (place === "mailbox") current = showMailbox(Number(given) || 0);
  else current = asked() ? showResults() : showGallery();
}

function showProblems(problems) {
  const line = document.getElementById("problems");
  const said = problems.length ? `The local stack has a problem: ${problems.join("; ")}.` : "";
  if (line.textContent !== said) line.textContent = said;
  line.hidden = !said;
}

let galleryScroll = 0;

function go(path) {
  if (location.pathname === "/" && !asked()) galleryScroll = scrollY;
  history.pushState(null, "", path);
  route();
  scrollTo(0, path === "/" ? galleryScroll : 0);
  main.focus({ preventScroll: true });
}

addEventListener("popstate", route);
addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href^='/']");
  if (!link || link.target || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});

route();
poll(async () => {
  countMails((await fetchJson("/api/mailbox")).mails.length);
  showProblems((await fetchJson("/api/problems")).problems);
});
