"use strict";
// Draws the pairs of the JSON above (its fields are explained in html.rs). Weights are thousandths everywhere. Text from outside
// gets into the document as text nodes and attributes only.

const page = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const root = document.documentElement;
const SVG = "http://www.w3.org/2000/svg";
const FONT = "system-ui, 'Segoe UI', 'Noto Sans', 'Helvetica Neue', Arial, sans-serif";
/** A source word is hardly looked at, or again and again, if its attention in all is below the one, above the other. */
const LESS = 200, MORE = 2000;
/** Height of a row of the list, as in page.css. */
const ROW = 72;
/** Weights below are not spoken of. */
const LEAST = 10;
/** In larger matrices only the cells of other weights are drawn, so that the browser stays quick. */
const MANY_CELLS = 40000;

const state = {
  place: 0, candidate: 0, view: "matrix", unit: page.subwords ? "subwords" : "words",
  /** Words are {side, index}, and {side, index, other} for a cell. */
  focused: null, hovered: null,
  /** Target words written so far, or null for all. */
  step: null, timer: 0,
  /** Places of the pairs in the list, in its order. */
  order: [],
};

// Elements ----------

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) if (value != null) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
const make = (tag, attributes = {}, ...children) => filled(document.createElement(tag), attributes, children);
const shape = (tag, attributes = {}, ...children) => filled(document.createElementNS(SVG, tag), attributes, children);

// Numbers ----------

const signed = (number, digits) => number.toFixed(digits).replace("-", "−");
const weight = (thousandths, digits = 3) => (thousandths / 1000).toFixed(digits);
const counted = (count, one, many = one + "s") => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
/** Text that does not turn what stands around it, where there is no element to isolate it. */
const isolated = text => `\u2068${text}\u2069`;

// Colours ----------

const isDark = () => root.classList.contains("dark");
const ink = name => getComputedStyle(root).getPropertyValue("--" + name).trim();

/** The lightness of a weight: even steps of OKLab, as in the heatmaps of the program. */
function lightness(share) {
  const [from, to] = isDark() ? [0.22, 0.96] : [0.985, 0.29];
  return from + (to - from) * share;
}

function colorOf(thousandths) {
  const share = Math.min(thousandths / 1000, 1), light = lightness(share);
  let chroma = page.palette === "grey" ? 0 : 0.54 * light * (1 - light);
  if (isDark()) chroma *= 1 - 0.85 * (1 - share) ** 6;
  const a = chroma * -0.174, b = chroma * -0.985;
  const l = (light + 0.39633778 * a + 0.21580376 * b) ** 3;
  const m = (light - 0.105561346 * a - 0.06385417 * b) ** 3;
  const s = (light - 0.08948418 * a - 1.2914855 * b) ** 3;
  const screen = x => Math.round(255 * Math.min(Math.max(x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055, 0), 1));
  const linear = [4.0767417 * l - 3.3077116 * m + 0.23096994 * s, -1.268438 * l + 2.6097574 * m - 0.34131938 * s,
    -0.0041960863 * l - 0.7034186 * m + 1.7076147 * s];
  return "#" + linear.map(x => screen(x).toString(16).padStart(2, "0")).join("");
}

/** What can be read on the colour of a weight. */
const inkOn = thousandths => lightness(Math.min(thousandths / 1000, 1)) > 0.565 ? "#000000" : "#ffffff";

function setTheme() {
  const chosen = $("theme").value;
  root.classList.toggle("dark", chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  drawPicture();
}

// What is known of a pair ----------

const pair = () => page.pairs[state.place];
const candidate = () => pair().candidates[state.candidate];
const matrixIn = (candidate, unit) => unit === "subwords" ? candidate.subwords ?? candidate.words : candidate.words ?? candidate.subwords;
const matrix = () => matrixIn(candidate(), state.unit);
const isOfWords = () => matrix() === candidate().words;

/** The places of source words that got too little attention, or too much; not of the end of the sentence. */
function uncovered(matrix) {
  const words = matrix ? matrix.source.length - matrix.ends[0] : 0;
  const places = [...Array(words).keys()];
  return { less: places.filter(at => matrix.coverage[at] < LESS), more: places.filter(at => matrix.coverage[at] > MORE) };
}

/** What the list sorts and filters by, and shows. */
const summaries = page.pairs.map((pair, place) => {
  const best = pair.candidates[0], matrix = best.words ?? best.subwords;
  const { less, more } = uncovered(matrix);
  return {
    number: place, less: less.length, more: more.length, aer: pair.gold?.aer ?? null,
    score: best.log_prob === null || !best.length ? null : best.log_prob / best.length,
    source: matrix ? matrix.source.length - matrix.ends[0] : 0, target: matrix ? matrix.target.length - matrix.ends[1] : 0,
    text: (pair.source + "\n" + pair.candidates.map(candidate => candidate.text).join("\n")).toLowerCase(),
  };
});
const hasGold = page.pairs.some(pair => pair.gold);

/**
 * The links of the pair as a map from "source-target" to what they are: "link" where there is nothing to compare them with; else
 * "correct", "wrong" or "missing", or "possible" for one that may be but is not.
 */
function linksShown() {
  const shown = new Map(), { links } = candidate(), gold = state.candidate === 0 ? pair().gold : null;
  if (!links || !isOfWords()) return shown;
  const key = ([source, target]) => `${source}-${target}`;
  const sure = new Set(gold?.sure.map(key)), all = new Set([...sure, ...(gold?.possible.map(key) ?? [])]);
  for (const link of links.map(key)) shown.set(link, !gold ? "link" : all.has(link) ? "correct" : "wrong");
  for (const link of all) if (!shown.has(link)) shown.set(link, sure.has(link) ? "missing" : "possible");
  return shown;
}

/** Weights of the words on the other side: for a target word what it looked at, for a source word what looked at it. */
function partners({ side, index }) {
  const { weights } = matrix();
  return side === "target" ? weights[index] : weights.map((row, at) => isLater(at) ? 0 : row[index]);
}

const other = side => side === "target" ? "source" : "target";
const isLater = row => state.step !== null && row >= state.step;

/** The word whose weights are shown. */
function chosen() {
  if (state.hovered || state.focused) return state.hovered ?? state.focused;
  return state.step ? { side: "target", index: state.step - 1 } : null;
}

// The list ----------

const SORTS = [["number", "Order of the text"], ["score", "log p per token"], ["source", "Source length"], ["target", "Target length"],
  ...(hasGold ? [["aer", "Alignment error rate"]] : []), ["less", "Words hardly looked at"], ["more", "Words looked at repeatedly"]];
const FILTERS = [...(hasGold ? [["aer", "Link errors"]] : []), ["less", "Hardly looked at"], ["more", "Repeated"]];

function setUpList() {
  $("sort").append(...SORTS.map(([value, label]) => make("option", { value }, label)));
  $("filters").append(...FILTERS.map(([value, label]) => make("button", { type: "button", value, "aria-pressed": false }, label)));
  for (const button of [...$("filters").children, $("descending")]) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
      fillList();
    });
  }
  $("search").addEventListener("input", fillList);
  $("sort").addEventListener("change", fillList);
  $("list").addEventListener("scroll", drawList);
  $("list").addEventListener("keydown", moveInList);
  $("list").addEventListener("click", event => {
    const item = event.target.closest(".item");
    if (item) choosePair(+item.dataset.place);
  });
  addEventListener("resize", drawList);
}

/** Sorts and filters. Pairs without what is sorted by come last. */
function fillList() {
  const isPressed = button => button.getAttribute("aria-pressed") === "true";
  const [key, down, search] = [$("sort").value, isPressed($("descending")), $("search").value.trim().toLowerCase()];
  const wanted = [...$("filters").children].filter(isPressed).map(button => button.value);
  const fits = of => of.text.includes(search) && wanted.every(value => of[value] > 0);
  const compare = (a, b) => (a[key] === null) - (b[key] === null) || (down ? b[key] - a[key] : a[key] - b[key]) || a.number - b.number;
  state.order = summaries.filter(fits).sort(compare).map(of => of.number);
  $("found").textContent = `${state.order.length.toLocaleString("en")} of ${counted(page.pairs.length, "pair")}`;
  $("rows").style.height = `${state.order.length * ROW}px`;
  $("list").scrollTop = 0;
  drawList();
}

/** Puts the rows in sight into the document, and the chosen one. */
function drawList() {
  const list = $("list"), first = Math.floor(list.scrollTop / ROW) - 4, last = first + list.clientHeight / ROW + 9;
  const active = state.order.indexOf(state.place);
  const seen = [...state.order.keys()].slice(Math.max(first, 0), Math.max(last, 0));
  if (active >= 0 && !seen.includes(active)) seen.push(active);
  $("rows").replaceChildren(...seen.map(listItem));
  if (active >= 0) list.setAttribute("aria-activedescendant", `item${state.place}`);
  else list.removeAttribute("aria-activedescendant");
}

function listItem(position) {
  const place = state.order[position], { number, source, candidates } = page.pairs[place], of = summaries[place];
  const about = [make("span", {}, `#${number}`)];
  if (of.score !== null) about.push(make("span", { title: "log p per token" }, signed(of.score, 2)));
  if (of.aer !== null) about.push(make("span", of.aer > 0 ? { class: "flag" } : {}, `AER ${(100 * of.aer).toFixed(0)}%`));
  if (of.less) about.push(make("span", { title: "source words hardly looked at" }, `${of.less} hardly seen`));
  if (of.more) about.push(make("span", { title: "source words looked at repeatedly" }, `${of.more} repeated`));
  const attributes = {
    class: "item", role: "option", id: `item${place}`, "data-place": place, style: `top:${position * ROW}px`,
    "aria-selected": place === state.place, "aria-setsize": state.order.length, "aria-posinset": position + 1,
  };
  return make("div", attributes, make("div", { dir: "auto" }, source || "—"), make("div", { dir: "auto" }, candidates[0].text || "—"),
    make("div", { class: "about" }, ...about));
}

function moveInList(event) {
  const at = state.order.indexOf(state.place), end = state.order.length - 1, some = Math.max(Math.floor($("list").clientHeight / ROW) - 1, 1);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + some, PageUp: at - some, Home: 0, End: end }[event.key];
  if (to === undefined || end < 0) return;
  event.preventDefault();
  choosePair(state.order[Math.min(Math.max(to, 0), end)]);
}

function choosePair(place) {
  pause();
  Object.assign(state, { place, candidate: 0, focused: null, hovered: null, step: null });
  const top = state.order.indexOf(place) * ROW, list = $("list");
  if (top >= 0 && top < list.scrollTop) list.scrollTop = top;
  if (top >= 0 && top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
  history.replaceState(null, "", `#${pair().number}`);
  drawList();
  drawPair();
}

// The chosen pair ----------

function drawPair() {
  const { candidates, number } = pair();
  $("heading").textContent = `Pair ${number.toLocaleString("en")}`;
  $("heading").hidden = page.pairs.length === 1;
  $("candidates").hidden = candidates.length === 1;
  const option = ({ text, score }, at) =>
    make("option", { value: at }, `${at + 1} of ${candidates.length}` + (score == null ? "" : `, score ${signed(score, 3)}`) + `: ${isolated(text)}`);
  $("candidate").replaceChildren(...candidates.map(option));
  drawCandidate();
}

function drawCandidate() {
  $("candidate").value = state.candidate;
  $("better").disabled = state.candidate === 0;
  $("worse").disabled = state.candidate === pair().candidates.length - 1;
  const { words, subwords } = candidate();
  $("units").hidden = !(words && subwords);
  for (const group of ["views", "units"]) {
    for (const button of $(group).children) button.setAttribute("aria-pressed", button.value === state[group.slice(0, -1)]);
  }
  document.querySelector(".tools").hidden = !matrix();
  $("facts").textContent = facts().join(" · ");
  drawSentences();
  drawPicture();
}

/** What is to be said of the translation as a whole. */
function facts() {
  const { log_prob, length, score } = candidate(), said = [];
  if (log_prob !== null) said.push(`log p ${signed(log_prob, 2)}`);
  if (log_prob !== null && length) said.push(`${signed(log_prob / length, 3)} per token`, counted(length, "token"));
  if (score != null) said.push(`score ${signed(score, 3)}`);
  const { gold } = pair(), links = [...linksShown().values()], count = kind => links.filter(link => link === kind).length;
  if (gold && state.candidate === 0) said.push(`AER ${(100 * gold.aer).toFixed(1)}%`);
  if (gold && links.length) said.push(`links: ${count("correct")} correct, ${count("wrong")} wrong, ${count("missing")} missing`);
  const { less, more } = uncovered(matrix()), labels = places => places.map(at => isolated(matrix().source[at])).join(", ");
  if (less.length) said.push(`hardly looked at: ${labels(less)}`);
  if (more.length) said.push(`looked at repeatedly: ${labels(more)}`);
  return said;
}

/** The two sentences, word by word: what the keyboard moves in. */
function drawSentences() {
  const { source } = pair(), { text } = candidate();
  const side = (name, title, content) => make("div", { class: "side" }, make("span", { id: `${name}-title` }, title), content);
  if (!matrix()) {
    const plain = text => make("p", { dir: "auto" }, text || "—");
    $("sentences").replaceChildren(side("source", "Source", plain(source)), side("target", "Target", plain(text)));
    return;
  }
  const { less, more } = uncovered(matrix());
  const word = side => (label, index) => make("span", {
    class: "word", role: "option", "data-side": side, "data-index": index, id: `${side}${index}`, tabindex: index ? -1 : 0,
    "data-coverage": side === "target" ? null : less.includes(index) ? "less" : more.includes(index) ? "more" : null,
  }, label);
  const words = name => {
    const content = matrix()[name].map(word(name)).flatMap((element, at) => at ? [" ", element] : [element]);
    return make("div", { class: "words", role: "listbox", dir: "auto", "aria-labelledby": `${name}-title`, "aria-orientation": "horizontal" }, ...content);
  };
  $("sentences").replaceChildren(side("source", "Source", words("source")), side("target", "Target", words("target")));
}

/** The words of a side with their weights for `word`, highest first, but not those next to nothing. */
function ranked(word) {
  const weights = partners(word).map((weight, index) => ({ weight, label: matrix()[other(word.side)][index] }));
  return weights.filter(({ weight }) => weight >= LEAST).sort((a, b) => b.weight - a.weight);
}

/** Links of a word in words, such as "linked with a (wrong)". */
function linksOf({ side, index }) {
  const said = [];
  for (const [key, kind] of linksShown()) {
    const [source, target] = key.split("-").map(Number), place = side === "target" ? source : target;
    if ((side === "target" ? target : source) !== index || kind === "possible") continue;
    said.push([matrix()[other(side)][place], kind === "link" ? "" : ` (${kind})`]);
  }
  return said;
}

/** What is known of a word, as strings and [word] pieces. */
function told(word) {
  const { side, index } = word, labels = matrix(), pieces = [[labels[side][index]]];
  if (word.other !== undefined) {
    return [[labels.source[word.other]], " → ", ...pieces, `: ${weight(labels.weights[index][word.other])}`, ...toldLink(word)];
  }
  pieces.push(side === "target" ? " looked at " : " was looked at by ");
  const partners = ranked(word), few = partners.slice(0, 6);
  few.forEach((partner, at) => pieces.push(at ? ", " : "", [partner.label], ` ${weight(partner.weight)}`));
  if (!few.length) pieces.push("nothing");
  if (partners.length > few.length) pieces.push(" and others");
  if (side === "source") pieces.push(`; attention in all ${weight(labels.coverage[index], 2)}`);
  linksOf(word).forEach(([label, kind], at) => pieces.push(at ? ", " : "; linked with ", [label], kind));
  return pieces;
}

function toldLink({ index, other }) {
  const kind = linksShown().get(`${other}-${index}`);
  return kind ? [kind === "link" ? ", linked" : `, link ${kind}`] : [];
}

const spoken = word => told(word).map(piece => typeof piece === "string" ? piece : piece[0]).join("");

// Pictures ----------

/** The picture in sight: its SVG, a function that shows the chosen word in it, and places for its weights. */
let picture = null;

function drawPicture() {
  $("picture").replaceChildren();
  picture = null;
  if (!page.pairs.length) return;
  if (matrix()) {
    picture = state.view === "matrix" ? drawMatrix(matrix()) : drawLines(matrix());
    $("picture").append(picture.svg);
  } else {
    $("picture").append(make("p", { class: "faint" }, "There is no alignment: a sentence is blank or was too long."));
  }
  paint();
}

const pen = document.createElement("canvas").getContext("2d");
function measured(text, size) {
  pen.font = `600 ${size}px ${FONT}`;
  return pen.measureText(text).width;
}

/** Labels as they are drawn: shortened, if they are very long. */
function labelled(labels, size) {
  const most = 12 * size;
  const shortened = label => {
    // No more letters than these fit, and measuring takes its time.
    const letters = [...label.slice(0, 200)].slice(0, 80);
    if (label.length <= 80 && measured(label, size) <= most) return label;
    while (measured(letters.join("") + "…", size) > most) letters.pop();
    return letters.join("") + "…";
  };
  return labels.map(label => {
    const shown = shortened(label);
    return { shown, width: measured(shown, size) };
  });
}
const widest = labels => Math.ceil(Math.max(...labels.map(label => label.width)));

function text(content, attributes) {
  return shape("text", { fill: ink("ink"), ...attributes }, isolated(content));
}

function canvas(width, height, described, ...children) {
  const attributes = { width, height, viewBox: `0 0 ${width} ${height}`, "font-family": FONT, role: "img", "aria-label": described };
  return shape("svg", attributes, shape("rect", { width, height, fill: ink("paper") }), ...children);
}

/** Signs of links; they differ in form, not in colour alone. */
function sign(kind, x, y, size, color) {
  const r = size / 2;
  const line = { fill: "none", stroke: color, "stroke-width": Math.max(1.5, size / 6), "pointer-events": "none" };
  switch (kind) {
    case "wrong": return shape("path", { d: `M${x - r} ${y - r}L${x + r} ${y + r}M${x + r} ${y - r}L${x - r} ${y + r}`, ...line });
    case "missing": return shape("circle", { cx: x, cy: y, r, ...line });
    case "possible": return shape("circle", { cx: x, cy: y, r, ...line, "stroke-width": 1, "stroke-dasharray": "2 2" });
    default: return shape("circle", { cx: x, cy: y, r, fill: color, "pointer-events": "none" });
  }
}
const SIGNS = { link: "link", correct: "correct link", wrong: "wrong link", missing: "missing link", possible: "possible link" };

/** What colours and signs mean, up to x = `end` if there is room. Returns the shapes and where they end. */
function legend(left, top, end) {
  const parts = [], faint = { fill: ink("faint"), "font-size": 11 };
  for (let at = 0; at < 24; at++) {
    parts.push(shape("rect", { x: left + at * 4, y: top, width: 4, height: 9, fill: colorOf(at * 1000 / 23), "shape-rendering": "crispEdges" }));
  }
  parts.push(shape("rect", { x: left, y: top, width: 96, height: 9, fill: "none", stroke: ink("grid") }));
  for (const [x, label] of [[0, "0"], [48, "weight"], [96, "1"]]) {
    parts.push(text(label, { x: left + x, y: top + 21, "text-anchor": "middle", ...faint }));
  }
  let x = left + 124, y = top + 5, right = left + 110;
  const kinds = new Set(linksShown().values());
  for (const [kind, label] of Object.entries(SIGNS).filter(([kind]) => kinds.has(kind))) {
    const wide = measured(label, 11) + 30;
    if (x + wide > end) [x, y] = [left, y + (y === top + 5 ? 36 : 18)];
    parts.push(sign(kind, x + 5, y, 8, ink("ink")), text(label, { x: x + 15, y: y + 4, ...faint }));
    x += wide;
    right = Math.max(right, x);
  }
  return { parts, right, bottom: Math.max(y + 16, top + 30) };
}

/** Figure 3 of the paper: source words along the top, target words down the side. */
function drawMatrix({ source, target, weights }) {
  const size = Math.max(source.length, target.length) > 36 ? 11 : 13;
  const [over, side] = [labelled(source, size), labelled(target, size)];
  const left = widest(side) + 14, room = $("picture").clientWidth - left - 40;
  const cell = Math.floor(Math.min(Math.max(room / source.length, 1.35 * size), 30));
  const slant = cell >= 24 ? 45 : 60, [sin, cos] = [Math.sin(slant * Math.PI / 180), Math.cos(slant * Math.PI / 180)];
  const top = Math.ceil(widest(over) * sin + 1.3 * size), right = left + source.length * cell, bottom = top + target.length * cell;
  const overhang = Math.max(...over.map(({ width }, at) => left + (at + 0.5) * cell + width * cos + size));
  const key = legend(left, bottom + 16, Math.max(overhang, $("picture").clientWidth));
  const width = Math.ceil(Math.max(overhang, right + 8, key.right));

  const word = (side, index) => ({ "data-side": side, "data-index": index });
  const labels = {
    source: over.map(({ shown }, at) => {
      const [x, y] = [left + (at + 0.5) * cell, top - 0.55 * size];
      return text(shown, { x, y: y + 0.3 * size, transform: `rotate(-${slant} ${x} ${y})`, "font-size": size, ...word("source", at) });
    }),
    target: side.map(({ shown }, at) =>
      text(shown, { x: left - 8, y: top + (at + 0.5) * cell + 0.35 * size, "text-anchor": "end", "font-size": size, ...word("target", at) })),
  };
  const middle = (row, column) => [left + (column + 0.5) * cell - 0.5, top + (row + 0.5) * cell - 0.5];
  const isDrawn = weight => weight >= LEAST || source.length * target.length <= MANY_CELLS;
  const cells = weights.map((row, at) => row.map((weight, column) => isDrawn(weight) && shape("rect", {
    x: left + column * cell, y: top + at * cell, width: cell - 1, height: cell - 1, fill: colorOf(weight), ...word("target", at), "data-other": column,
  })));
  const signs = [...linksShown()].map(([key, kind]) => {
    const [column, row] = key.split("-").map(Number);
    return { row, column, element: sign(kind, ...middle(row, column), cell * 0.36, inkOn(weights[row][column])) };
  });
  const down = source.concat("").map((_, at) => `M${left + at * cell - 0.5} ${top - 1}V${bottom}`);
  const across = target.concat("").map((_, at) => `M${left - 1} ${top + at * cell - 0.5}H${right}`);
  const grid = shape("path", { d: [...down, ...across].join(""), stroke: ink("grid") });
  const values = shape("g", { "font-size": Math.min(11, cell * 0.4), "text-anchor": "middle", "pointer-events": "none" });
  const described = `Matrix of weights: ${counted(target.length, "target word")} by ${counted(source.length, "source word")}`;
  const svg = canvas(width, Math.ceil(key.bottom), described, grid, ...cells.flat().filter(Boolean), ...signs.map(sign => sign.element),
    ...labels.source, ...labels.target, values, ...key.parts);

  function show(word) {
    const dims = (row, column) => word && (word.side === "target" ? row !== word.index : column !== word.index);
    const clear = (row, column) => isLater(row) ? 0 : dims(row, column) ? 0.25 : 1;
    cells.forEach((row, at) => row.forEach((cell, column) => cell && cell.setAttribute("opacity", clear(at, column))));
    for (const { row, column, element } of signs) element.setAttribute("opacity", clear(row, column));
    values.replaceChildren();
    if (!word || cell < 22) return;
    const linked = linksShown();
    partners(word).forEach((value, at) => {
      const [row, column] = word.side === "target" ? [word.index, at] : [at, word.index];
      if (value < LEAST || linked.has(`${column}-${row}`)) return;
      const [x, y] = middle(row, column);
      values.append(shape("text", { x, y: y + cell * 0.14, fill: inkOn(value) }, weight(value, 2).replace(/^0/, "")));
    });
  }
  return { svg, labels, show };
}

/** Source words on the left, target words on the right, and lines between them as thick as their weight. */
function drawLines({ source, target, weights }) {
  const size = 14, line = 28, top = 14, [from, to] = [labelled(source, size), labelled(target, size)];
  const tall = line * Math.max(source.length, target.length);
  const left = widest(from) + 44, gap = Math.min(Math.max($("picture").clientWidth - left - widest(to) - 48, 90), 300), right = left + gap;
  const y = (at, count) => top + (at + 0.5) * tall / count;
  const ends = right + widest(to) + 48, key = legend(8, top + tall + 16, Math.max(ends, $("picture").clientWidth));
  const width = Math.ceil(Math.max(ends, key.right));

  const label = (side, x, anchor, count) => ({ shown }, at) => text(shown, {
    x, y: y(at, count) + 0.35 * size, "text-anchor": anchor, "font-size": size, "data-side": side, "data-index": at,
  });
  const labels = {
    source: from.map(label("source", left - 8, "end", source.length)),
    target: to.map(label("target", right + 8, "start", target.length)),
  };
  const curve = (row, column) => {
    const [start, end, half] = [y(column, source.length), y(row, target.length), gap / 2];
    return `M${left} ${start}C${left + half} ${start} ${right - half} ${end} ${right} ${end}`;
  };
  const lines = weights.flatMap((row, at) => row.map((weight, column) => ({ row: at, column, weight }))).filter(({ weight }) => weight >= 30);
  lines.sort((a, b) => a.weight - b.weight);
  for (const line of lines) {
    const attributes = { d: curve(line.row, line.column), fill: "none", stroke: page.palette === "grey" ? ink("faint") : ink("accent") };
    line.element = shape("path", { ...attributes, "stroke-width": 0.75 + line.weight / 220, "stroke-linecap": "round" });
    line.clear = 0.12 + 0.88 * Math.min(line.weight / 1000, 1);
  }
  const marks = [...linksShown()].filter(([, kind]) => kind !== "possible").map(([key, kind]) => {
    const [column, row] = key.split("-").map(Number), color = kind === "wrong" || kind === "missing" ? ink("wrong") : ink("ink");
    const path = shape("path", { d: curve(row, column), fill: "none", stroke: color, "stroke-width": 1.25, "stroke-dasharray": kind === "missing" ? "4 4" : null });
    // Signs stand at 0.65 of the curve, where those of links that cross or meet are apart.
    const [x, at] = [left + gap * 0.616, y(column, source.length) * 0.282 + y(row, target.length) * 0.718];
    const ground = shape("circle", { cx: x, cy: at, r: 8, fill: ink("paper") });
    const isError = kind === "wrong" || kind === "missing";
    return { row, column, clear: 1, element: shape("g", {}, path, ...(isError ? [ground] : []), sign(kind, x, at, isError ? 8 : 6, color)) };
  });
  const values = shape("g", { "font-size": 11, fill: ink("faint"), "pointer-events": "none" });
  const described = `Lines between ${counted(source.length, "source word")} and ${counted(target.length, "target word")}`;
  const svg = canvas(width, Math.ceil(key.bottom), described, ...lines.map(line => line.element), ...marks.map(mark => mark.element),
    ...labels.source, ...labels.target, values, ...key.parts);

  function show(word) {
    const dims = ({ row, column }) => word && (word.side === "target" ? row !== word.index : column !== word.index);
    for (const line of [...lines, ...marks]) line.element.setAttribute("opacity", isLater(line.row) ? 0 : dims(line) ? 0.07 : line.clear);
    values.replaceChildren();
    if (!word) return;
    partners(word).forEach((value, at) => {
      if (value < LEAST) return;
      const place = word.side === "target" ? { x: left - from[at].width - 14, y: y(at, source.length) + 4, "text-anchor": "end" }
        : { x: right + to[at].width + 14, y: y(at, target.length) + 4 };
      values.append(shape("text", place, weight(value, 2)));
    });
  }
  return { svg, labels, show };
}

// What is chosen, in all views ----------

function paint() {
  const word = chosen(), weights = word && matrix() ? partners(word) : [];
  for (const element of document.querySelectorAll(".word")) {
    const { side, index } = element.dataset, own = word && side === word.side, value = !word || own ? 0 : weights[index];
    const is = own && +index === word.index;
    element.classList.toggle("chosen", Boolean(is));
    element.classList.toggle("later", side === "target" && isLater(+index));
    element.setAttribute("aria-selected", Boolean(is));
    element.style.background = value >= LEAST ? colorOf(value) : "";
    element.style.color = value >= LEAST ? inkOn(value) : "";
    if (value >= LEAST) element.dataset.weight = weight(value, 2);
    else delete element.dataset.weight;
  }
  if (picture) {
    picture.show(word);
    for (const [side, labels] of Object.entries(picture.labels)) labels.forEach((label, at) => {
      const is = word && (side === word.side ? at === word.index : weights[at] >= 100);
      label.setAttribute("font-weight", is ? 600 : 400);
      label.setAttribute("opacity", side === "target" && isLater(at) ? 0.15 : word && !is ? 0.45 : 1);
    });
  }
  const pieces = word && matrix() ? told(word) : [];
  // A word with the focus is spoken by its label.
  $("detail").setAttribute("aria-live", state.focused ? "off" : "polite");
  $("detail").replaceChildren(...pieces.map(piece => typeof piece === "string" ? piece : make("b", {}, piece[0])));
  const rows = matrix()?.target.length ?? 0;
  $("step").textContent = state.step === null ? "" : `word ${state.step} of ${rows}`;
  $("play").textContent = state.timer ? "Pause" : "Play";
}

/** The word that an element stands for. */
function wordOf(element) {
  const found = element.closest?.("[data-side]");
  if (!found) return null;
  const { side, index, other } = found.dataset;
  return { side, index: +index, ...(other === undefined ? {} : { other: +other }) };
}

function setUpWords() {
  const main = $("pair");
  main.addEventListener("pointerover", event => hover(wordOf(event.target)));
  main.addEventListener("pointerleave", () => hover(null));
  $("sentences").addEventListener("focusin", event => {
    const word = wordOf(event.target);
    if (!word) return;
    Object.assign(state, { focused: word, hovered: null });
    // One word of a sentence is where Tab goes.
    for (const sibling of event.target.parentElement.querySelectorAll(".word")) sibling.tabIndex = sibling === event.target ? 0 : -1;
    event.target.setAttribute("aria-label", spoken(word));
    paint();
  });
  $("sentences").addEventListener("focusout", () => {
    state.focused = null;
    paint();
  });
  $("sentences").addEventListener("keydown", moveInSentence);
  // A word of the picture that is clicked stays chosen: its like in the sentences gets the focus.
  $("picture").addEventListener("click", event => {
    const word = wordOf(event.target);
    if (word) $(word.side + word.index).focus({ preventScroll: true });
  });
  addEventListener("keydown", event => {
    if (event.key !== "Escape" || event.target === $("search")) return;
    pause();
    Object.assign(state, { focused: null, hovered: null, step: null });
    if (picture) paint();
  });
}

function hover(word) {
  const same = JSON.stringify(word) === JSON.stringify(state.hovered);
  state.hovered = word;
  if (!same) paint();
}

/** Left and right go along the sentence as it is read; up and down go to the word of the other one with the highest weight. */
function moveInSentence(event) {
  const word = wordOf(event.target);
  if (!word) return;
  const { side, index } = word, last = matrix()[side].length - 1;
  const forward = getComputedStyle(event.target.parentElement).direction === "rtl" ? -1 : 1;
  const weights = partners(word), best = weights.indexOf(Math.max(...weights));
  const across = (side === "target") === (event.key === "ArrowUp") ? other(side) + best : null;
  const along = at => side + Math.min(Math.max(at, 0), last);
  const to = {
    ArrowRight: along(index + forward), ArrowLeft: along(index - forward), Home: along(0), End: along(last), ArrowUp: across, ArrowDown: across,
  }[event.key];
  if (!to) return;
  event.preventDefault();
  $(to).focus();
}

// Decoding, word by word ----------

function pause() {
  clearInterval(state.timer);
  state.timer = 0;
}

function stepBy(count) {
  const rows = matrix().target.length, at = state.step ?? (count > 0 ? 0 : rows + 1);
  state.step = at + count > rows ? null : Math.max(at + count, 0);
  if (state.step === null || state.step === rows) pause();
  state.focused = state.hovered = null;
  paint();
}

function play() {
  if (state.timer) {
    pause();
    paint();
    return;
  }
  if (state.step === matrix().target.length) state.step = null;
  state.timer = setInterval(() => stepBy(1), 700);
  stepBy(1);
}

// Saving ----------

function download(blob, extension) {
  const link = make("a", { href: URL.createObjectURL(blob), download: `alignment-${pair().number}.${extension}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function savePng() {
  const svg = new XMLSerializer().serializeToString(picture.svg), image = new Image(), scale = 2;
  image.onload = () => {
    const canvas = make("canvas", { width: image.width * scale, height: image.height * scale });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    canvas.toBlob(blob => download(blob, "png"), "image/png");
  };
  image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(svg);
}

// Start ----------

function setUpTools() {
  const switches = [["views", [["matrix", "Matrix"], ["lines", "Lines"]]], ["units", [["words", "Words"], ["subwords", "Sub-words"]]]];
  for (const [group, choices] of switches) {
    for (const [value, label] of choices) {
      const button = make("button", { type: "button", value }, label);
      button.addEventListener("click", () => {
        const key = group.slice(0, -1);
        if (key === "unit" && state.unit !== value) Object.assign(state, { step: null, focused: null, hovered: null });
        if (key === "unit") pause();
        state[key] = value;
        drawCandidate();
      });
      $(group).append(button);
    }
  }
  const chooseCandidate = at => {
    pause();
    Object.assign(state, { candidate: at, step: null, focused: null, hovered: null });
    drawCandidate();
  };
  $("candidate").addEventListener("change", () => chooseCandidate(+$("candidate").value));
  $("better").addEventListener("click", () => chooseCandidate(state.candidate - 1));
  $("worse").addEventListener("click", () => chooseCandidate(state.candidate + 1));
  $("play").addEventListener("click", play);
  $("next").addEventListener("click", () => { pause(); stepBy(1); });
  $("previous").addEventListener("click", () => { pause(); stepBy(-1); });
  $("svg").addEventListener("click", () => download(new Blob([new XMLSerializer().serializeToString(picture.svg)], { type: "image/svg+xml" }), "svg"));
  $("png").addEventListener("click", savePng);
}

function start() {
  document.title = page.title;
  $("title").textContent = page.title;
  const all = counted(page.total, "pair");
  $("total").textContent = page.total > page.pairs.length ? `the first ${page.pairs.length.toLocaleString("en")} of ${all}` : page.total > 1 ? all : "";
  $("theme").value = page.theme ?? "";
  $("theme").addEventListener("change", setTheme);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", setTheme);
  // Paper is white.
  addEventListener("beforeprint", () => { root.classList.remove("dark"); drawPicture(); });
  addEventListener("afterprint", setTheme);
  addEventListener("resize", drawPicture);
  $("pair").hidden = !page.pairs.length;
  $("browse").hidden = page.pairs.length === 1;
  $("columns").classList.toggle("alone", page.pairs.length === 1);
  setUpList();
  setUpWords();
  setUpTools();
  fillList();
  const ofHash = () => Math.max(page.pairs.findIndex(pair => `#${pair.number}` === location.hash), 0);
  addEventListener("hashchange", () => choosePair(ofHash()));
  if (page.pairs.length) choosePair(ofHash());
  setTheme();
}

start();
