// The charts: a line for each number over control steps, the latencies, the sampler's passes.

import { canvas, colours, duration, element, number, setText } from "./elements.js";

// How many control steps of the past are shown.
export const pastSteps = 60;

// Numbers over control steps, oldest first, of one episode.
export class Trace {
  constructor() {
    this.steps = [];
    this.values = [];
  }

  push(step, value) {
    const last = this.steps.length - 1;
    if (last >= 0 && this.steps[last] === step) {
      this.values[last] = value;
      return;
    }
    this.steps.push(step);
    this.values.push(value);
    // Commands are many times as frequent as control steps.
    while (this.steps.length > 4000 || this.steps[0] < step - pastSteps - 2) {
      this.steps.shift();
      this.values.shift();
    }
  }

  get last() {
    return this.values.at(-1);
  }
}

// A card with one number's chart.
export class Chart {
  constructor(label) {
    this.label = element("span", { class: "label", text: label, title: label });
    this.now = element("span", { class: "now" });
    this.canvas = element("canvas", { role: "img" });
    this.node = element("div", { class: "chart" }, element("header", {}, this.label, this.now), this.canvas);
    this.name = label;
    this.observed = new Trace();
    this.commanded = new Trace();
    this.plan = null;
    this.range = null;
  }

  clear() {
    this.observed = new Trace();
    this.commanded = new Trace();
    this.plan = null;
  }

  // Draws up to `now`, with room for `ahead` steps of the plan.
  draw(now, ahead) {
    const drawing = canvas(this.canvas);
    if (!drawing) return;
    const { context, width, height } = drawing;
    const ink = colours();
    const axis = 44;
    const plot = { left: axis, right: width - 2, top: 5, bottom: height - 6 };
    const x = (step) => plot.left + ((step - now + pastSteps) / (pastSteps + ahead)) * (plot.right - plot.left);
    const [low, high] = this.bounds(now);
    const y = (value) => plot.bottom - ((value - low) / (high - low)) * (plot.bottom - plot.top);

    context.fillStyle = ink.soft;
    context.fillRect(x(now), plot.top - 3, plot.right - x(now), plot.bottom - plot.top + 6);
    context.strokeStyle = ink.line;
    context.lineWidth = 1;
    context.fillStyle = ink.faint;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const value of [low, high]) {
      context.fillText(axisNumber(value, high - low), axis - 5, Math.min(Math.max(y(value), 7), height - 7));
    }
    context.strokeRect(plot.left - 0.5, plot.top - 3.5, plot.right - plot.left + 1, plot.bottom - plot.top + 7);
    context.save();
    context.beginPath();
    context.rect(plot.left, plot.top - 4, plot.right - plot.left, plot.bottom - plot.top + 8);
    context.clip();
    for (const limit of this.range ?? []) {
      line(context, [plot.left, plot.right], [y(limit), y(limit)], ink.bad, 1, [4, 3]);
    }
    if (this.plan) {
      const steps = this.plan.values.map((_, index) => x(this.plan.first + index));
      const heights = this.plan.values.map(y);
      const split = this.plan.count;
      line(context, steps.slice(split - 1), heights.slice(split - 1), ink.plan, 1.2, [2, 3]);
      line(context, steps.slice(0, split), heights.slice(0, split), ink.plan, 2);
      context.fillStyle = ink.plan;
      for (let index = 0; index < split; index++) context.fillRect(steps[index] - 1.5, heights[index] - 1.5, 3, 3);
    }
    line(context, this.commanded.steps.map(x), this.commanded.values.map(y), ink.command, 1.4);
    line(context, this.observed.steps.map(x), this.observed.values.map(y), ink.ink, 1.5);
    context.restore();
    const seen = this.observed.last ?? this.commanded.last ?? this.plan?.values[0];
    setText(this.now, number(seen));
    const limits = this.range ? `, limits ${number(this.range[0])} to ${number(this.range[1])}` : "";
    this.canvas.setAttribute("aria-label", `${this.name}: ${number(seen)}${limits}`);
  }

  // What the axis spans: all that is drawn, and the limits if they are near.
  bounds(now) {
    let [low, high] = [Infinity, -Infinity];
    const add = (value) => {
      if (!Number.isFinite(value)) return;
      low = Math.min(low, value);
      high = Math.max(high, value);
    };
    for (const trace of [this.observed, this.commanded]) {
      trace.values.forEach((value, index) => trace.steps[index] >= now - pastSteps && add(value));
    }
    this.plan?.values.forEach(add);
    if (low > high) [low, high] = this.range ?? [0, 1];
    const span = Math.max(high - low, Math.abs(high) * 1e-3, 1e-6);
    for (const limit of this.range ?? []) {
      if (limit < low && low - limit < 1.2 * span) low = limit;
      if (limit > high && limit - high < 1.2 * span) high = limit;
    }
    const room = Math.max(high - low, span) * 0.08;
    return [low - room, high + room];
  }
}

function axisNumber(value, span) {
  if (Math.abs(value) >= 1e5 || (value !== 0 && span < 1e-3)) return value.toExponential(0);
  return value.toFixed(span >= 20 ? 0 : span >= 2 ? 1 : span >= 0.1 ? 2 : 3);
}

function line(context, xs, ys, colour, width, dashes = []) {
  if (xs.length < 2) return;
  context.beginPath();
  for (let index = 0; index < xs.length; index++) context.lineTo(xs[index], ys[index]);
  context.setLineDash(dashes);
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.lineJoin = "round";
  context.stroke();
  context.setLineDash([]);
}

// How long the newest chunks took, against the budget.
export function drawLatencies(node, latencies, budgetMs) {
  const drawing = canvas(node);
  if (!drawing) return;
  const { context, width, height } = drawing;
  const ink = colours();
  const [left, top, bottom] = [46, 8, height - 6];
  const sorted = latencies.map((latency) => latency.total / 1000).sort((one, other) => one - other);
  const usual = Math.max(sorted[Math.floor(sorted.length / 2)] ?? 0, budgetMs || 0);
  // One chunk that is very late does not make the others invisible: it is cut off, and says how long it took.
  const scale = Math.max(Math.min(sorted.at(-1) ?? 0, 4 * usual), usual, 0.1) * 1.15;
  const y = (ms) => bottom - (ms / scale) * (bottom - top);
  context.textAlign = "right";
  context.textBaseline = "middle";
  const step = niceStep(scale / 3);
  for (let ms = 0; ms <= scale; ms += step) {
    context.fillStyle = ink.faint;
    context.fillText(ms === 0 ? "0" : ms < 1000 ? `${Number(ms.toPrecision(2))} ms` : `${Number((ms / 1000).toPrecision(2))} s`, left - 6, y(ms));
    line(context, [left, width], [y(ms), y(ms)], ink.line, 1);
  }
  const slot = (width - left) / 64;
  latencies.forEach((latency, index) => {
    const x = left + (64 - latencies.length + index) * slot + slot * 0.15;
    const isLate = budgetMs > 0 && latency.total / 1000 > budgetMs;
    context.fillStyle = isLate ? ink.bad : latency.isCoarse ? ink.warn : ink.accent;
    const [whole, sampled] = [latency.total, latency.sample].map((time) => y(Math.min(time / 1000, scale)));
    context.globalAlpha = 0.45;
    context.fillRect(x, whole, slot * 0.7, bottom - whole);
    context.globalAlpha = 1;
    context.fillRect(x, sampled, slot * 0.7, bottom - sampled);
    if (latency.total / 1000 > scale) {
      context.save();
      context.textBaseline = "bottom";
      context.fillText(duration(latency.total), Math.max(x + slot, left + 46), top + 4);
      context.restore();
    }
  });
  if (budgetMs > 0) {
    line(context, [left, width], [y(budgetMs), y(budgetMs)], ink.bad, 1.5, [5, 3]);
    context.fillStyle = ink.bad;
    context.textBaseline = "bottom";
    context.fillText("budget", width - 2, y(budgetMs) - 1);
  }
  const last = latencies.at(-1);
  const budget = budgetMs > 0 ? `, budget ${budgetMs} ms` : "";
  node.setAttribute("aria-label", last ? `Last chunk ${duration(last.total)}${budget}` : "No chunk yet");
}

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough) ?? rough;
}

// The passes of the last chunk: denoising steps to the right, passes downwards. `progress`, from 0 to 1, is how far it is shown.
export function drawPasses(node, sampling, progress) {
  const drawing = canvas(node);
  if (!drawing) return;
  const { context, width, height } = drawing;
  const ink = colours();
  const { steps, passes } = sampling;
  const [left, top, strip, right] = [2, 30, 14, width - 2];
  const x = (step) => left + (step / steps) * (right - left);
  const total = passes.reduce((sum, pass) => sum + pass[3], 0) || 1;
  let [spent, current] = [0, passes.length - 1];
  for (let index = 0; index < passes.length; index++) {
    if ((spent + passes[index][3]) / total >= progress) {
      current = index;
      break;
    }
    spent += passes[index][3];
  }
  const active = passes[Math.max(current, 0)];
  const isDone = progress >= 1;

  // The strip: what has settled, what the pass evaluates, what is noise still.
  context.fillStyle = ink.soft;
  context.fillRect(left, 12, right - left, strip);
  if (active) {
    context.fillStyle = ink.accent;
    context.globalAlpha = 0.35;
    context.fillRect(left, 12, x(isDone ? steps : active[0]) - left, strip);
    context.globalAlpha = 1;
    if (!isDone) context.fillRect(x(active[0]), 12, Math.max(x(active[1]) - x(active[0]), 2), strip);
  }
  context.fillStyle = ink.faint;
  context.textBaseline = "top";
  context.textAlign = "left";
  context.fillText("noise", left, 0);
  context.textAlign = "right";
  context.fillText("chunk", right, 0);
  context.textAlign = "center";
  context.fillText(`denoising steps 0 to ${steps}`, width / 2, 0);

  const room = height - top - 2;
  const row = Math.min(room / Math.max(passes.length, 1), 20);
  passes.forEach((pass, index) => {
    const isShown = index <= current || isDone;
    const isFull = pass[2] >= pass[1] - pass[0];
    context.fillStyle = index === current && !isDone ? ink.accent : ink.block;
    context.globalAlpha = (isShown ? 1 : 0.18) * (isFull ? 1 : 0.55);
    const from = x(pass[0]);
    context.fillRect(from, top + index * row, Math.max(x(pass[1]) - from, 1.5), Math.max(row - (row > 3 ? 1.5 : 0), 0.8));
  });
  context.globalAlpha = 1;
}
