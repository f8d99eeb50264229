// Small helpers. Text from the daemon reaches the page as text alone: `textContent` and attributes, never markup.

export const byId = (id) => document.getElementById(id);

// An element. `attributes`: `class`, `text`, and whatever else is an attribute.
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else if (name === "class") made.className = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// Changes an element's text only if it is another one, so that nothing is laid out in vain.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function show(node, isShown) {
  if (node.hidden === isShown) node.hidden = !isShown;
}

// The children of `parent` become one for each of `keys`, made by `make` and brought up to date by `update`.
export function syncList(parent, keys, make, update) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const key of keys) {
    let child = old.get(key);
    if (child) old.delete(key);
    else {
      child = make(key);
      child.dataset.key = key;
    }
    if (child !== place) parent.insertBefore(child, place);
    else place = place.nextElementSibling;
    update(child, key);
  }
  for (const child of old.values()) child.remove();
}

// A time in words, from microseconds.
export function duration(microseconds) {
  if (microseconds < 1000) return `${Math.round(microseconds)} µs`;
  const ms = microseconds / 1000;
  if (ms < 10) return `${ms.toFixed(2)} ms`;
  if (ms < 1000) return `${ms.toFixed(1)} ms`;
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

// A number that stays readable at any size.
export function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-3)) return value.toExponential(2);
  if (size >= 1000) return value.toFixed(0);
  if (size >= 100) return value.toFixed(1);
  if (size >= 10) return value.toFixed(2);
  return value.toFixed(3);
}

export const count = (value) => value.toLocaleString("en-GB").replaceAll(",", " ");

// Colours and sizes for drawing.

let palette = null;
const watched = ["ink", "faint", "line", "panel", "accent", "good", "warn", "bad", "plan", "command", "goal", "block", "soft"];

export function colours() {
  if (!palette) {
    const style = getComputedStyle(document.documentElement);
    palette = Object.fromEntries(watched.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }
  return palette;
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  palette = null;
});

// The context of a canvas that is as sharp as the screen, emptied, and its size in CSS pixels; null if it is not laid out.
export function canvas(node) {
  const { clientWidth: width, clientHeight: height } = node;
  if (!width || !height) return null;
  const ratio = Math.min(devicePixelRatio || 1, 3);
  const [columns, rows] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (node.width !== columns || node.height !== rows) {
    node.width = columns;
    node.height = rows;
  }
  const context = node.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = "11px system-ui, sans-serif";
  return { context, width, height };
}
