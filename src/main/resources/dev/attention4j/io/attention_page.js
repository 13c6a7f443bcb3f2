"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);
const darkScheme = window.matchMedia("(prefers-color-scheme: dark)");
const THUMBNAIL = 36;
const NUMBERS_FROM = 38; // A cell of so many pixels holds a number.
const EVERY_LABEL = 13; // A cell of so many pixels holds a letter.
const LEAST_CELL = 2;
const LARGEST_CELL = 56;
const LONGEST_SIDE = 4096; // Browsers draw no larger canvas everywhere.
const MOST_CELLS = 4000; // Of more cells the grid holds the row of the focus alone.
const LEAST_ARC = .01; // Of the largest weight: thinner arcs are a haze, and the numbers below the tokens tell them.
const font = size => `${size}px system-ui, "DejaVu Sans", sans-serif`;

let shown = { text: 0, layer: 0, head: 0, token: 0 };
let largest = 1; // Weight of the head that is shown.
let active = { row: 0, column: 0 }; // The cell that the keyboard is at.

// The place of the large map's cells on its canvas, in CSS pixels.
const place = { left: 0, top: 0, cell: 0, label: 0 };

const text = () => data.texts[shown.text];
const shownLayer = () => text().layers[shown.layer];
const weights = () => shownLayer().heads[shown.head];
const positions = data.unit === "position"; // Not tokens: the page is of tensors alone.
const weight = (row, column) => weights()[row * text().keys.length + column] / data.steps;
const largestOf = steps => steps.reduce((one, other) => Math.max(one, other), 1);
// So that weights of a long text, all of them small, do not read as 0.00.
const digitsOf = largest => largest < .1 ? 4 : 2;
const clamped = (number, count) => Math.max(0, Math.min(count - 1, number || 0));
const inDigits = value => shownLayer().mask ? (value ? "yes" : "no") : value.toFixed(digitsOf(largest));
// What is masked in a head of the shown text, if the page knows; one head of a mask stands for all.
const maskOf = head => {
  const mask = text().layers.find(each => each.mask);
  return mask && mask.heads[Math.min(head, mask.heads.length - 1)];
};
const headName = (of, head) => of.mask && of.heads.length === 1 ? `${of.name} of all heads` : `${of.name}, head ${head}`;

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  made.append(...children);
  return made;
}

// ---- colours

const color = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const channels = hex => [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16));

// The colour of a weight beside the head's largest; the picture of the command line has the same scale.
function shader(largest) {
  const [paper, strongest] = data.scale[darkScheme.matches ? "dark" : "light"].map(channels);
  return value => {
    const share = Math.pow(Math.min(1, value / largest), data.scale.exponent);
    return paper.map((from, n) => Math.round(from + share * (strongest[n] - from)));
  };
}

// By WCAG 2: what is read on what depends on the ratio of their luminances.
function luminance(rgb) {
  const [red, green, blue] = rgb.map(channel => {
    const part = channel / 255;
    return part <= .04045 ? part / 12.92 : Math.pow((part + .055) / 1.055, 2.4);
  });
  return .2126 * red + .7152 * green + .0722 * blue;
}

function readableOn(rgb) {
  const ground = luminance(rgb) + .05;
  const contrast = ink => {
    const own = luminance(channels(ink)) + .05;
    return Math.max(own, ground) / Math.min(own, ground);
  };
  return [color("--ink"), color("--paper")].reduce((one, other) => contrast(other) > contrast(one) ? other : one);
}

// ---- drawing

// A pixel for each weight; a masked pair is no weight of 0.
function picture(steps, mask, rows, columns) {
  const canvas = element("canvas", { width: columns, height: rows });
  const pen = canvas.getContext("2d");
  const pixels = pen.createImageData(columns, rows);
  const shade = shader(largestOf(steps));
  const masked = channels(color("--masked"));
  steps.forEach((each, n) => pixels.data.set([...mask && !mask[n] ? masked : shade(each), 255], 4 * n));
  pen.putImageData(pixels, 0, 0);
  return canvas;
}

function prepared(canvas, width, height) {
  const scale = Math.max(width, height) > LONGEST_SIDE / 2 ? 1 : window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.width = width + "px";
  canvas.style.height = height + "px";
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  return pen;
}

// As large as there is room for, but large enough that each label is read, unless the whole is wanted at once; numbers
// of positions need not all be read.
function cellSize(room, rows, columns) {
  const exact = Math.min(room / columns, Math.max(room, 560) / rows);
  const fitting = exact > 4 ? Math.floor(exact) : exact;
  const readable = Math.max(LEAST_CELL,
      Math.min(positions ? LEAST_CELL : EVERY_LABEL, Math.floor(LONGEST_SIDE / Math.max(rows, columns))));
  byId("fitChoice").hidden = fitting >= readable;
  return Math.min(LARGEST_CELL, byId("fit").checked ? fitting : Math.max(readable, fitting));
}

function drawMap() {
  const { queries, keys } = text();
  const rows = queries.length, columns = keys.length;
  const measure = byId("map").getContext("2d");
  const longest = tokens => {
    measure.font = font(13);
    return Math.ceil(Math.max(...tokens.map(token => measure.measureText(token).width)));
  };
  const width = byId("grid").closest("section").clientWidth;
  place.label = Math.min(160, Math.round(width / 3));
  place.left = Math.min(longest(queries), place.label) + 12;
  place.top = Math.min(longest(keys), place.label) + 12;
  const room = width - byId("queryAxis").offsetWidth - place.left - 2;
  place.cell = cellSize(room, rows, columns);
  const right = columns * place.cell, bottom = rows * place.cell;
  const pen = prepared(byId("map"), Math.ceil(place.left + right + 1), Math.ceil(place.top + bottom + 1));
  pen.imageSmoothingEnabled = place.cell < 1;
  pen.drawImage(picture(weights(), maskOf(shown.head), rows, columns), place.left, place.top, right, bottom);
  pen.strokeStyle = color("--line");
  pen.strokeRect(place.left + .5, place.top + .5, right, bottom);
  drawLabels(pen, queries, keys);
  if (place.cell >= NUMBERS_FROM && !shownLayer().mask) {
    drawNumbers(pen, rows, columns);
  }
  byId("mapTitle").textContent = headName(shownLayer(), shown.head);
}

function drawLabels(pen, queries, keys) {
  pen.font = font(13);
  pen.fillStyle = color("--ink");
  pen.textBaseline = "middle";
  const least = Math.ceil(EVERY_LABEL / place.cell);
  const every = positions ? [1, 2, 5, 10, 20, 50, 100].find(step => step >= least) || least : least;
  byId("thinned").hidden = every === 1;
  byId("thinned").textContent = `Cells are smaller than letters: one ${data.unit} in ${every} is named along the axes.`
      + ` Pointing at a cell names both of its ${data.unit}s.`;
  pen.textAlign = "right";
  for (let row = 0; row < queries.length; row += every) {
    pen.fillText(queries[row], place.left - 6, place.top + (row + .5) * place.cell, place.label);
  }
  pen.textAlign = "left";
  for (let column = 0; column < keys.length; column += every) {
    pen.save();
    pen.translate(place.left + (column + .5) * place.cell, place.top - 6);
    pen.rotate(-Math.PI / 2);
    pen.fillText(keys[column], 0, 0, place.label);
    pen.restore();
  }
}

function drawNumbers(pen, rows, columns) {
  const shade = shader(largest), mask = maskOf(shown.head);
  pen.font = font(12);
  pen.textAlign = "center";
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      if (mask && !mask[row * columns + column]) {
        continue;
      }
      pen.fillStyle = readableOn(shade(weight(row, column)));
      pen.fillText(weight(row, column).toFixed(2),
          place.left + (column + .5) * place.cell, place.top + (row + .5) * place.cell);
    }
  }
}

function drawLegend() {
  const shade = shader(largest);
  const stops = Array.from({ length: 21 }, (_, n) => `rgb(${shade(n / 20 * largest).join(",")}) ${5 * n}%`);
  byId("bar").style.background = `linear-gradient(to right, ${stops.join(",")})`;
  const mask = shownLayer().mask, digits = digitsOf(largest);
  if (mask) {
    byId("bar").style.background = `linear-gradient(to right, var(--masked) 50%, rgb(${shade(1).join(",")}) 50%)`;
  }
  byId("maskedNote").hidden = mask || !maskOf(shown.head);
  byId("measure").textContent = mask ? "mask" : "weight";
  const ticks = mask ? ["masked", "may attend"] : [0, largest / 2, largest].map(tick => tick.toFixed(digits));
  byId("ticks").replaceChildren(...ticks.map(tick => element("span", {}, tick)));
  byId("scaleNote").textContent = mask ? "" : "up to the largest of this head";
  byId("ramp").setAttribute("aria-label", mask ? "two colours: masked, and may attend"
      : `colour scale from 0 to ${largest.toFixed(digits)}, the largest of this head`);
}

// ---- the overview: a row for each layer, a column for each head

function thumbnail(steps, layer, head) {
  const { queries, keys, layers } = text();
  const name = headName(layers[layer], head);
  const button = element("button", { type: "button", title: name, "aria-label": name, tabindex: -1 });
  const canvas = element("canvas", {});
  const pen = prepared(canvas, THUMBNAIL, THUMBNAIL);
  pen.imageSmoothingEnabled = Math.max(queries.length, keys.length) > canvas.width;
  pen.drawImage(picture(steps, maskOf(head), queries.length, keys.length), 0, 0, THUMBNAIL, THUMBNAIL);
  button.append(canvas);
  button.addEventListener("click", () => show({ ...shown, layer, head }));
  return button;
}

function drawOverview() {
  const table = byId("overview");
  table.replaceChildren();
  const layers = text().layers;
  const titles = table.insertRow();
  titles.append(element("th", { scope: "row" }, "head"));
  for (let head = 0; head < Math.max(...layers.map(layer => layer.heads.length)); head++) {
    titles.append(element("th", { scope: "col" }, String(head)));
  }
  layers.forEach((layer, number) => {
    const row = table.insertRow();
    row.append(element("th", { scope: "row" }, positions ? layer.name : number === 0 ? "layer 0" : String(number)));
    layer.heads.forEach((steps, head) => row.insertCell().append(thumbnail(steps, number, head)));
  });
}

function overviewButton(layer, head) {
  const row = byId("overview").rows[layer + 1];
  return row && row.cells[head + 1] && row.cells[head + 1].firstChild;
}

// ---- the grid over the map, for the keyboard and for screen readers

function gridCell(row, column) {
  const { queries, keys } = text();
  const cell = element("div", { role: "gridcell", tabindex: -1, "aria-colindex": column + 1,
    "aria-label": `query ${queries[row]} ${shownLayer().mask ? "may attend to" : "looks at"} key ${keys[column]}: ${inDigits(weight(row, column))}` });
  Object.assign(cell.style, { left: place.left + column * place.cell + "px", top: place.top + row * place.cell + "px",
    width: place.cell + 1 + "px", height: place.cell + 1 + "px" });
  return cell;
}

function gridRow(row) {
  return element("div", { role: "row", "aria-rowindex": row + 1 },
      ...text().keys.map((_, column) => gridCell(row, column)));
}

function fillGrid() {
  const grid = byId("grid"), rows = text().queries.length, columns = text().keys.length;
  grid.setAttribute("aria-rowcount", rows);
  grid.setAttribute("aria-colcount", columns);
  grid.setAttribute("aria-label", `${positions ? "" : "weights of "}${byId("mapTitle").textContent}: a row for each query, a column for each key`);
  active = { row: clamped(active.row, rows), column: clamped(active.column, columns) };
  grid.replaceChildren(...rows * columns <= MOST_CELLS ? text().queries.map((_, row) => gridRow(row))
      : [gridRow(active.row)]);
  activeCell().tabIndex = 0;
}

function activeCell() {
  return byId("grid").querySelector(`[aria-rowindex="${active.row + 1}"] > [aria-colindex="${active.column + 1}"]`);
}

// Moves the only tab stop of the grid, and the focus if it is wanted.
function activate(row, column, focus) {
  activeCell().tabIndex = -1;
  active = { row: clamped(row, text().queries.length), column: clamped(column, text().keys.length) };
  if (!activeCell()) {
    byId("grid").replaceChildren(gridRow(active.row));
  }
  activeCell().tabIndex = 0;
  if (focus) {
    activeCell().focus();
  }
}

function point(cell) {
  const mark = byId("mark"), tip = byId("tip");
  mark.hidden = tip.hidden = !cell;
  if (!cell) {
    return;
  }
  const { queries, keys } = text(), frame = byId("frame"), scroll = frame.parentElement;
  const left = place.left + cell.column * place.cell, top = place.top + cell.row * place.cell;
  Object.assign(mark.style, {
    left: left + "px", top: top + "px", width: place.cell + 1 + "px", height: place.cell + 1 + "px" });
  const value = weight(cell.row, cell.column);
  const mask = maskOf(shown.head), at = cell.row * keys.length + cell.column;
  const told = mask && !mask[at] ? "masked" : shownLayer().mask ? "may attend" : value.toFixed(4);
  tip.textContent = positions ? `query ${queries[cell.row]}, key ${keys[cell.column]}: ${told}`
      : `${queries[cell.row]} → ${keys[cell.column]}: ${told} (query ${cell.row}, key ${cell.column})`;
  // Above or below the cell and inside of what is seen, so that it covers neither the cell nor is cut off.
  const seen = scroll.scrollLeft + scroll.clientWidth - tip.offsetWidth - 4;
  tip.style.left = Math.max(scroll.scrollLeft, Math.min(left + place.cell / 2, seen)) + "px";
  tip.style.top = (cell.row < queries.length / 2 ? top + place.cell + 8 : top - tip.offsetHeight - 8) + "px";
}

function cellAt(event) {
  const box = byId("frame").getBoundingClientRect();
  const column = Math.floor((event.clientX - box.left - place.left) / place.cell);
  const row = Math.floor((event.clientY - box.top - place.top) / place.cell);
  const inside = column >= 0 && column < text().keys.length && row >= 0 && row < text().queries.length;
  return inside ? { row, column } : null;
}

// Where a key leads from a place among rows and columns; null for other keys.
function moved(event, row, column, rows, columns) {
  const page = Math.max(1, Math.min(10, rows - 1));
  switch (event.key) {
    case "ArrowUp": return [row - 1, column];
    case "ArrowDown": return [row + 1, column];
    case "ArrowLeft": return [row, column - 1];
    case "ArrowRight": return [row, column + 1];
    case "PageUp": return [row - page, column];
    case "PageDown": return [row + page, column];
    case "Home": return [event.ctrlKey ? 0 : row, 0];
    case "End": return [event.ctrlKey ? rows - 1 : row, columns - 1];
    default: return null;
  }
}

// ---- one token's weights, as arcs over the sentence

// Positions do not tell: queries and keys stand one above the other.
const isSelfAttention = () => !positions && text().queries.join("\0") === text().keys.join("\0");

function tokenButton(token, row) {
  const chosen = row === shown.token;
  const button = element("button", { type: "button", role: "radio", "aria-checked": chosen, "aria-label": token,
    tabindex: chosen ? 0 : -1 }, token);
  button.addEventListener("click", () => choose(row, true));
  return button;
}

function keyed(node, column) {
  const value = weight(shown.token, column), mask = maskOf(shown.head);
  const ground = shader(largest)(value);
  node.append(element("small", {}, mask && !mask[shown.token * text().keys.length + column] ? "–" : inDigits(value)));
  node.style.background = `rgb(${ground.join(",")})`;
  node.style.color = readableOn(ground);
  return node;
}

function drawSentence() {
  const { queries, keys } = text(), same = isSelfAttention();
  const arcs = byId("arcs"), askers = byId("askers"), lookedAt = same ? askers : byId("lookedAt");
  byId("sentence").classList.toggle("same", same);
  if (positions) {
    byId("arcsHelp").textContent = "Choose the query; the arcs lead to the keys that it "
        + (shownLayer().mask ? "may attend to." : "attends to, the wider, the larger the weight.");
  }
  askers.replaceChildren(...queries.map(tokenButton));
  byId("lookedAt").replaceChildren(...same ? [] : keys.map(key => element("span", {}, key)));
  [...lookedAt.children].forEach(keyed);
  const order = keys.map((_, column) => column).sort((a, b) => weight(shown.token, b) - weight(shown.token, a));
  const middle = node => node.offsetLeft + node.offsetWidth / 2;
  // One of the two rows moves so that the query stands above the key that it attends to most.
  askers.style.marginLeft = lookedAt.style.marginLeft = 0;
  const ahead = same ? 0 : middle(lookedAt.children[order[0]]) - middle(askers.children[shown.token]);
  (ahead > 0 ? askers : lookedAt).style.marginLeft = Math.abs(ahead) + "px";
  const from = middle(askers.children[shown.token]), ends = [...lookedAt.children].map(middle);
  const drawn = ends.filter((_, column) => weight(shown.token, column) >= LEAST_ARC * largest);
  const tallest = same ? Math.max(40, Math.min(170, 20 + .4 * Math.max(0, ...drawn.map(to => Math.abs(to - from))))) : 110;
  const strongest = data.scale[darkScheme.matches ? "dark" : "light"][1];
  arcs.setAttribute("width", Math.abs(ahead) + Math.max(askers.offsetWidth, lookedAt.offsetWidth));
  arcs.setAttribute("height", tallest + 8);
  const base = tallest + 8;
  arcs.replaceChildren();
  ends.forEach((to, column) => {
    const share = weight(shown.token, column) / largest;
    if (share < LEAST_ARC) {
      return;
    }
    const path = document.createElementNS(arcs.namespaceURI, "path");
    const rise = base - Math.min(tallest, 20 + .4 * Math.abs(to - from)) * 4 / 3;
    path.setAttribute("d", !same ? `M${from} 0C${from} ${base / 2} ${to} ${base / 2} ${to} ${base}`
        : to === from ? `M${from - 9} ${base}C${from - 22} ${base - 38} ${from + 22} ${base - 38} ${from + 9} ${base}`
        : `M${from} ${base}C${from} ${rise} ${to} ${rise} ${to} ${base}`);
    path.setAttribute("stroke", strongest);
    path.setAttribute("stroke-width", (.5 + 9.5 * share).toFixed(2));
    path.setAttribute("stroke-opacity", (.35 + .65 * share).toFixed(2));
    arcs.append(path);
  });
  // A long text is wider than the page: the chosen token is brought to its middle.
  const scroll = byId("sentence").parentElement;
  scroll.scrollLeft = from - scroll.clientWidth / 2;
  byId("strongest").textContent = shownLayer().mask ? `query ${queries[shown.token]} may attend to `
          + `${drawn.length} of ${keys.length} keys`
      : (positions ? `query ${queries[shown.token]} looks at key ` : `“${queries[shown.token]}” looks at `)
          + order.slice(0, 5).map(column => `${keys[column]} ${inDigits(weight(shown.token, column))}`).join(", ")
          + (order.length > 5 ? ", …" : "");
}

function choose(row, focus) {
  show({ ...shown, token: row });
  if (focus) {
    byId("sentence").querySelector("[aria-checked='true']").focus();
  }
}

// At first the query with the largest weight that is not to itself.
function tellingQuery() {
  const { queries, keys } = text();
  let best = 0, most = -1;
  weights().forEach((steps, n) => {
    const row = Math.floor(n / keys.length), column = n % keys.length;
    const special = /^\[.*\]$/; // [CLS], [SEP]
    if (steps > most && queries[row] !== keys[column] && !special.test(queries[row]) && !special.test(keys[column])) {
      [best, most] = [row, steps];
    }
  });
  return best;
}

// ---- choosing

// As wide as its longest option a list would be wider than the page.
const shortened = name => name.length > 60 ? name.slice(0, 59) + "…" : name;
const options = names => names.map((name, number) => new Option(shortened(name), String(number)));

function show(wanted) {
  const before = shown, at = clamped(wanted.text, data.texts.length);
  const layer = clamped(wanted.layer, data.texts[at].layers.length);
  shown = { text: at, layer, head: clamped(wanted.head, data.texts[at].layers[layer].heads.length), token: 0 };
  shown.token = wanted.token === undefined ? tellingQuery() : clamped(wanted.token, text().queries.length);
  if (!byId("overview").rows.length || before.text !== shown.text) {
    drawOverview();
  }
  byId("overview").querySelectorAll("button").forEach(button => {
    button.setAttribute("aria-pressed", "false");
    button.tabIndex = -1;
  });
  const chosen = overviewButton(shown.layer, shown.head);
  chosen.setAttribute("aria-pressed", "true");
  chosen.tabIndex = 0;
  byId("layer").replaceChildren(...options(text().layers.map(each => each.name)));
  byId("headChoice").hidden = shownLayer().mask && shownLayer().heads.length === 1;
  byId("head").replaceChildren(...options(text().layers[layer].heads.map((_, number) => String(number))));
  for (const name of ["text", "layer", "head"]) {
    byId(name).value = String(shown[name]);
  }
  largest = largestOf(weights()) / data.steps;
  drawMap();
  fillGrid();
  drawLegend();
  point(null);
  drawSentence();
  // So that a reload, or a reader who is sent the address, sees the same.
  history.replaceState(null, "",
      `#text=${shown.text}&layer=${shown.layer}&head=${shown.head}&token=${shown.token}`);
}

function readAddress() {
  const address = new URLSearchParams(location.hash.slice(1));
  const number = name => address.has(name) ? Number(address.get(name)) : undefined;
  show({ text: number("text"), layer: number("layer") ?? data.layer, head: number("head") ?? data.head, token: number("token") });
}

byId("frame").addEventListener("mousemove", event => point(cellAt(event)));
byId("frame").addEventListener("mouseleave", () => point(null));
byId("frame").addEventListener("click", event => {
  const cell = cellAt(event);
  if (cell) {
    choose(cell.row, false);
    activate(cell.row, cell.column, true);
  }
});
byId("grid").addEventListener("focusin", () => point(active));
byId("grid").addEventListener("focusout", () => point(null));
byId("grid").addEventListener("keydown", event => {
  const to = moved(event, active.row, active.column, text().queries.length, text().keys.length);
  if (to) {
    event.preventDefault();
    activate(to[0], to[1], true);
  } else if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    choose(active.row, false);
    activate(active.row, active.column, true);
  }
});
byId("overview").addEventListener("keydown", event => {
  const at = event.target.closest("td"), row = at.parentElement;
  const to = moved(event, row.rowIndex - 1, at.cellIndex - 1, byId("overview").rows.length - 1, row.cells.length - 1);
  const button = to && overviewButton(Math.max(0, to[0]), Math.max(0, to[1]));
  if (button) {
    event.preventDefault();
    byId("overview").querySelectorAll("button").forEach(each => { each.tabIndex = -1; });
    button.tabIndex = 0;
    button.focus();
  }
});
byId("sentence").addEventListener("keydown", event => {
  const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
  const last = text().queries.length - 1;
  const to = step ? clamped(shown.token + step, last + 1) : { Home: 0, End: last }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    choose(to, true);
  }
});
byId("text").addEventListener("change", event => show({ text: Number(event.target.value) }));
byId("layer").addEventListener("change", event => show({ ...shown, layer: Number(event.target.value) }));
byId("head").addEventListener("change", event => show({ ...shown, head: Number(event.target.value) }));
byId("fit").addEventListener("change", () => show(shown));
window.addEventListener("resize", () => show(shown));
window.addEventListener("hashchange", readAddress);
darkScheme.addEventListener("change", () => {
  drawOverview();
  show(shown);
});

function speakOfPositions() {
  const words = {
    intro: "A row for each query, a column for each key; the stronger the colour, the larger the weight of the key. The"
        + " weights of each query sum to 1, unless a sink takes a part or no key is left."
        + (text().queries.some(query => query.includes(" at ")) ? " A query that stands at another position among the"
            + " keys is named with both: query at position." : ""),
    textWord: "batch row", layerWord: "picture", keyAxis: "key position →", queryAxis: "← query position",
    arcsTitle: "One query’s keys",
  };
  Object.entries(words).forEach(([id, word]) => { byId(id).textContent = word; });
  byId("askers").setAttribute("aria-label", "query position");
}

document.title = data.title;
byId("title").textContent = data.title;
byId("subtitle").textContent = data.subtitle;
byId("subtitle").hidden = !data.subtitle;
if (positions) {
  speakOfPositions();
}
byId("textChoice").hidden = data.texts.length === 1;
byId("text").replaceChildren(...options(data.texts.map(each => each.name)));
readAddress();
