// The live page: what the daemon tells, put into the page.

import { Connection, order, setToken } from "./connection.js";
import { Chart, drawLatencies, drawPasses, pastSteps } from "./charts.js";
import { byId, count, duration, element, number, setText, show, syncList } from "./elements.js";
import { isPushT, Scene } from "./scene.js";

const scene = new Scene(byId("scene"));
const mostCharts = 64;
const stageNames = ["decode", "queue", "vision", "condition", "sample", "encode"];

// What is known.
let hello = null;
let status = null;
let selected = readHash();
// What drives the selected robot; null: the robot has not named one of several policies yet.
let policy = null;
let robot = null;
let now = 0;
let episode = null;
let actionCharts = [];
let observedCharts = new Map();
let latencies = [];
let passes = null;
let passesBegan = 0;
let isDirty = false;
let areDead = false;

const connection = new Connection(handle, tell);

// MARK: The connection

function handle(name, data) {
  if (areDead) areDead = false;
  const handlers = { hello: onHello, status: onStatus, robot: onRobot, observation: onObservation, chunk: onChunk, command: onCommand, frame: onFrame };
  handlers[name]?.(data);
  isDirty = true;
}

function tell(state, text) {
  const link = byId("link");
  if (state !== "live") {
    link.dataset.state = state;
    setText(link, { waiting: "reconnecting", refused: "refused", token: "locked" }[state]);
    areDead = true;
    showAlerts([text].filter(Boolean));
  }
  show(byId("token-form"), state === "token");
  if (state === "token" || state === "refused") show(byId("columns"), false);
  else if (hello) show(byId("columns"), true);
  if (state === "token") byId("token").focus();
}

byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  setToken(byId("token").value.trim());
  byId("token").value = "";
  showAlerts([]);
  connection.open();
});

function readHash() {
  const found = /^#robot=(.+)$/.exec(location.hash);
  if (!found) return null;
  try {
    return decodeURIComponent(found[1]);
  } catch {
    return null;
  }
}

addEventListener("hashchange", () => select(readHash()));

function select(id) {
  if (id === null || id === selected) return;
  selected = id;
  clearRobot();
  connection.watch(id);
  if (status) showStatus();
}

// MARK: What the daemon runs

function onHello(data) {
  hello = data;
  document.title = data.policies.length ? `${data.policies.map((one) => one.name).join(", ")} – denoised` : "denoised";
  showRuns();
  show(byId("columns"), true);
  show(byId("orders"), data.takesOrders);
  show(byId("stop-all"), data.takesOrders);
  findPolicy();
}

// Finds out what drives the selected robot, and begins its charts anew if that is another policy.
function findPolicy() {
  const policies = hello?.policies ?? [];
  const name = status?.robots?.find((one) => one.id === selected)?.policy;
  const found = policies.length === 1 ? policies[0] : (policies.find((one) => one.name === name) ?? null);
  const sizes = (one) => JSON.stringify({ ...one, sampler: null });
  const isOther = sizes(found) !== sizes(policy);
  policy = found;
  if (isOther) beginPolicy();
}

function beginPolicy() {
  show(byId("scene-panel"), policy !== null && isPushT(policy));
  makeCharts();
}

function showRuns() {
  const { policies, version } = hello;
  setText(byId("runs"), policies.length ? `${policies.map(runText).join(" | ")} · ${version}` : `${version}, loading its policy`);
}

function runText(one, _, all) {
  const { sampler } = one;
  const method = sampler.method !== "sequential" ? `, ${sampler.method}, window ${sampler.window}` : ", sequential";
  const percent = status?.calibrationPercent ?? 100;
  const calibration = percent < 100 ? ` until it is calibrated, ${percent} % done` : "";
  const budget = sampler.budgetMs > 0 ? ` · budget ${sampler.budgetMs} ms` : "";
  const weights = all.length > 1 ? ` · ${Math.round(one.weightBytes / 1e6)} MB of weights` : "";
  return `${one.name} · ${sampler.solver} in ${sampler.steps} steps${method}${calibration} · ${sampler.kernel}${budget}${weights}`;
}

function showKey(list, entries) {
  list.replaceChildren(...entries.map(([colour, text, kind]) => element("li", { class: colour, text, "data-kind": kind ?? "line" })));
}

// MARK: All robots

// The states that orders have brought about, by robot, and when they were answered: heartbeats of before know nothing of them.
const ordered = new Map();

function onStatus(data) {
  status = data;
  const toldAt = performance.now() - (data.age ?? 0) / 1000;
  for (const [id, { at, ...state }] of ordered) {
    const one = data.robots?.find((other) => other.id === id);
    if (toldAt >= at) ordered.delete(id);
    else if (one) Object.assign(one, state);
  }
  if (selected === null && data.robots?.length) select(data.robots[0].id);
  showStatus();
}

function showAlerts(failures, warnings = []) {
  const lines = [...failures.map((text) => ["bad", text]), ...warnings.map((text) => ["warn", text])];
  const keys = lines.map(([kind, text], index) => `${index} ${kind} ${text}`);
  syncList(byId("alerts"), keys, (key) => {
    const [kind, text] = lines[keys.indexOf(key)];
    return element("p", { class: `alert ${kind}`, text });
  }, () => {});
}

function showStatus() {
  const robots = status.robots ?? [];
  const link = byId("link");
  if (!areDead) {
    const isFailing = status.failures.length > 0;
    link.dataset.state = isFailing ? "failing" : "live";
    setText(link, isFailing ? "failing" : "live");
    showAlerts(status.failures, status.warnings);
    if (hello) showRuns();
  }
  showRobots(robots);
  showWho(robots.find((one) => one.id === selected));
  showCounters();
}

const isTrouble = (state) => state === "stopped" || state === "faulted";

function showRobots(robots) {
  const counts = {};
  for (const one of robots) counts[one.state] = (counts[one.state] ?? 0) + 1;
  const words = Object.entries(counts).map(([state, many]) => `${many} ${state}`);
  setText(byId("robot-count"), robots.length > 1 ? `${robots.length}: ${words.join(", ")}` : "");
  show(byId("no-robots"), robots.length === 0);
  show(byId("filter"), robots.length > 8);
  const filter = robots.length > 8 ? byId("filter").value.trim().toLowerCase() : "";
  const shown = robots.filter((one) => one.id.toLowerCase().includes(filter) || one.state.includes(filter));
  const byKey = new Map(shown.map((one) => [one.id, one]));
  syncList(byId("robots"), [...byKey.keys()], makeRobotRow, (row, id) => {
    const one = byKey.get(id);
    const link = row.firstElementChild;
    row.dataset.robotState = one.state;
    link.setAttribute("aria-current", String(id === selected));
    const [, name, state, why] = link.children;
    setText(name, id);
    setText(state, one.silent > 3e6 ? `${one.state}, silent ${duration(one.silent)}` : one.state);
    setText(why, isTrouble(one.state) || one.state === "holding" ? one.reason : "");
    show(why, why.textContent !== "");
  });
  show(byId("resume-all"), hello?.takesOrders && robots.filter((one) => isTrouble(one.state)).length > 1);
}

function makeRobotRow(id) {
  const parts = ["dot", "id", "state", "why"].map((name) => element("span", { class: name }));
  return element("li", {}, element("a", { href: `#robot=${encodeURIComponent(id)}` }, ...parts));
}

byId("filter").addEventListener("input", () => status && showRobots(status.robots ?? []));

// MARK: One robot

function showWho(one) {
  show(byId("who"), selected !== null && (one !== undefined || status.robots !== undefined));
  findPolicy();
  show(byId("panels"), selected !== null && policy !== null);
  if (selected === null) return;
  setText(byId("robot-id"), selected);
  const badge = byId("robot-state");
  badge.dataset.robotState = one?.state ?? "unknown";
  setText(badge, one?.state ?? "not known");
  setText(byId("robot-reason"), one ? `${one.reason}, for ${duration(one.for)}` : "The daemon does not know this robot.");
  const facts = one
    ? {
        episode: one.episode, step: count(one.sequence), "last heard": `${duration(one.silent)} ago`, chunks: count(one.chunks),
        commands: count(one.commands), "held back by limits": count(one.limitViolations),
        ...(hello?.policies.length > 1 ? { policy: one.policy ?? "none named" } : {}),
      }
    : {};
  showPairs(byId("robot-facts"), facts);
  byId("stop").disabled = one?.state === "stopped";
  byId("hold").disabled = one === undefined || isTrouble(one.state);
  byId("resume").disabled = !(isTrouble(one?.state) || one?.state === "holding");
}

function showPairs(list, pairs, isBad = () => false, notes = {}) {
  syncList(list, Object.keys(pairs), (name) => element("div", {}, element("dt", { text: name }), element("dd")), (row, name) => {
    setText(row.lastElementChild, String(pairs[name]));
    row.className = isBad(name) ? "bad" : "";
    if (notes[name]) row.lastElementChild.dataset.note = notes[name];
    else delete row.lastElementChild.dataset.note;
  });
}

let lastCounters = null;
const rates = {};

function showCounters() {
  const statistics = status.statistics;
  show(byId("counters-panel"), Boolean(statistics));
  if (!statistics) return;
  setText(byId("counters-note"), `up ${duration(statistics.uptime)}`);
  const at = statistics.uptime / 1e6;
  if (!lastCounters || at - lastCounters.at >= 1 || at < lastCounters.at) {
    for (const [name, value] of Object.entries(statistics.counters)) {
      const before = lastCounters && at > lastCounters.at ? lastCounters.counters[name] : value;
      rates[name] = lastCounters ? (value - before) / Math.max(at - lastCounters.at, 1e-3) : 0;
    }
    lastCounters = { at, counters: statistics.counters };
  }
  const [pairs, notes] = [{}, {}];
  const always = ["observations", "chunks", "commands", "late_chunks"];
  for (const [name, value] of Object.entries(statistics.counters)) {
    if (value === 0 && !always.includes(name)) continue;
    const words = name.replaceAll("_", " ");
    pairs[words] = count(value);
    if (rates[name] >= 0.05) notes[words] = `${rates[name].toFixed(1)}/s`;
  }
  for (const [name, value] of Object.entries(statistics.rejected)) if (value > 0) pairs[`rejected: ${name}`] = count(value);
  const bad = /^rejected|late|dropped|errors|lost|unrecorded/;
  showPairs(byId("counters"), pairs, (name) => bad.test(name) && pairs[name] !== "0", notes);
  const total = statistics.latency.total;
  setText(
    byId("latency-text"),
    total ? `Since the start, all robots: median ${duration(total.p50)}, 99 % ${duration(total.p99)}, longest ${duration(total.max)}` : "No chunk yet",
  );
}

function clearRobot() {
  robot = null;
  episode = null;
  latencies = [];
  passes = null;
  scene.clear();
  setText(byId("latency-note"), "");
  setText(byId("sampler-note"), "");
  setText(byId("sampler-text"), "");
  for (const id of ["stages", "stages-key", "latency-key"]) byId(id).replaceChildren();
  byId("cameras").replaceChildren();
  show(byId("cameras-panel"), false);
  makeCharts();
  byId("robot").scrollTo?.(0, 0);
}

function onRobot(data) {
  robot = data;
  makeCharts();
}

// MARK: Charts

// Where an observation tells each dimension of an action: [feature, element], or null.
function feedbackOf(index) {
  const dimension = robot?.dimensions[index];
  if (robot?.feedback && dimension?.element !== undefined) return [robot.feedback, dimension.element];
  const state = policy.features.find((feature) => feature.name === "observation.state");
  return !robot?.feedback && state?.count === policy.actionDim ? ["observation.state", index] : null;
}

function showSceneKey() {
  const seesBlock = policy.features.some((feature) => feature.name.endsWith("environment_state"));
  showKey(byId("scene-key"), [
    ["goal", "goal", "area"], ...(seesBlock ? [["block", "T", "area"]] : []), ["accent", "disc", "area"], ["plan", "planned path"],
    ...(robot?.hasFile ? [["command", "command"]] : []),
  ]);
}

function makeCharts() {
  observedCharts = new Map();
  actionCharts = [];
  if (!policy) return;
  const shownElsewhere = new Set();
  for (let index = 0; index < policy.actionDim; index++) {
    const chart = new Chart(robot?.dimensions[index]?.name ?? `action ${index}`);
    chart.range = robot?.dimensions[index]?.range ?? null;
    chart.feedback = feedbackOf(index);
    if (chart.feedback) shownElsewhere.add(chart.feedback.join(" "));
    actionCharts.push(chart);
  }
  const hasScene = isPushT(policy);
  if (hasScene) showSceneKey();
  for (const feature of policy.features) {
    if (hasScene && feature.name.endsWith("environment_state")) continue;
    for (let index = 0; index < feature.count && observedCharts.size < mostCharts; index++) {
      if (shownElsewhere.has(`${feature.name} ${index}`)) continue;
      observedCharts.set(`${feature.name} ${index}`, new Chart(`${feature.name.replace(/^observation\./, "")} ${index}`));
    }
  }
  const isSeen = actionCharts.some((chart) => chart.feedback);
  const hasLimits = actionCharts.some((chart) => chart.range);
  showKey(byId("charts-key"), [
    ...(isSeen ? [["ink", "observed"]] : []), ["plan", "planned"], ["plan", "predicted to follow", "dashed"],
    ...(robot?.hasFile ? [["command", "command"]] : []), ...(hasLimits ? [["bad", "limit, if it is near", "dashed"]] : []),
  ]);
  setText(byId("charts-note"), `${policy.actionDim} numbers over control steps; shaded: still to come`);
  byId("charts").replaceChildren(...actionCharts.map((chart) => chart.node));
  byId("observed").replaceChildren(...[...observedCharts.values()].map((chart) => chart.node));
  show(byId("observed-panel"), observedCharts.size > 0);
  const all = policy.features.reduce((sum, feature) => sum + feature.count, 0);
  setText(byId("observed-note"), observedCharts.size >= mostCharts ? `the first ${mostCharts} of ${all} numbers` : "what no action is compared with");
}

// Begins charts anew with an episode, or if steps go back.
function enter(newEpisode, step) {
  if (newEpisode !== episode || step < now - pastSteps) {
    episode = newEpisode;
    for (const chart of [...actionCharts, ...observedCharts.values()]) chart.clear();
    scene.clear();
    now = step;
  }
}

function onObservation(data) {
  enter(data.episode, data.sequence);
  now = data.sequence;
  for (const chart of actionCharts) {
    const value = chart.feedback ? data.values[chart.feedback[0]]?.[chart.feedback[1]] : undefined;
    if (value !== undefined) chart.observed.push(data.sequence, value);
  }
  for (const [key, chart] of observedCharts) {
    const space = key.lastIndexOf(" ");
    const value = data.values[key.slice(0, space)]?.[Number(key.slice(space + 1))];
    if (value !== undefined) chart.observed.push(data.sequence, value);
  }
  scene.observe(data.values);
}

function onCommand(data) {
  if (data.episode !== episode) return;
  actionCharts.forEach((chart, index) => chart.commanded.push(data.step, data.action[index]));
  scene.command = data.action;
}

function onChunk(data) {
  latencies = [...latencies, ...data.latencies].slice(-64);
  showStages(data.stages);
  showSampling(data);
  if (episode === null) enter(data.episode, data.sequence);
  if (data.episode !== episode) return;
  const numbers = [...data.actions, ...data.beyond];
  const steps = numbers.length / data.actionDim;
  actionCharts.forEach((chart, index) => {
    const values = Array.from({ length: steps }, (_, step) => numbers[step * data.actionDim + index]);
    chart.plan = { first: data.firstStep, values, count: data.actions.length / data.actionDim };
  });
  if (data.actionDim === 2) {
    const points = Array.from({ length: steps }, (_, step) => [numbers[2 * step], numbers[2 * step + 1]]);
    scene.plan = { points, count: data.actions.length / 2 };
  }
  setText(byId("scene-note"), `step ${count(data.sequence)} of episode ${data.episode}`);
}

function showStages(stages) {
  const parts = stageNames.filter((name) => stages[name] !== undefined);
  const bar = byId("stages");
  bar.replaceChildren(...parts.map((name) => {
    const part = element("span", { class: name, title: `${name}: ${duration(stages[name])}` });
    part.style.flexGrow = stages[name] / Math.max(stages.total, 1);
    return part;
  }));
  const hasBudget = policy?.sampler.budgetMs > 0;
  showKey(byId("latency-key"), hasBudget ? [["accent", "in time", "area"], ["warn", "coarse, to be in time", "area"], ["bad", "late", "area"]] : []);
  showKey(byId("stages-key"), parts.map((name) => [name, `${name} ${duration(stages[name])}`, "area"]));
  setText(byId("latency-note"), `last chunk ${duration(stages.total)}`);
}

function showSampling(data) {
  const { sampling } = data;
  const evaluations = `${sampling.evaluations} evaluation${sampling.evaluations === 1 ? "" : "s"}`;
  setText(byId("sampler-note"), `${sampling.iterations} pass${sampling.iterations === 1 ? "" : "es"} for ${sampling.steps} denoising steps`);
  const quality = sampling.coarseSteps > 0 ? `coarse: ${sampling.coarseSteps} of its steps are coarse, to be in time` : sampling.quality;
  const more = [data.isGrouped ? "together with other robots" : "", data.isPrediction ? "asked for by a request" : "", data.frozenSteps ? `${data.frozenSteps} actions given` : ""];
  const residual = sampling.method === "sequential" ? "" : `residual ${number(sampling.residual)}`;
  setText(byId("sampler-text"), [sampling.method, evaluations, quality, residual, ...more].filter(Boolean).join(" · "));
  // A chunk that comes while one is played takes its place when that is over.
  const isPlaying = passes && performance.now() - passesBegan < playTime;
  passes = sampling;
  if (!isPlaying) passesBegan = performance.now();
}

function onFrame(data) {
  show(byId("cameras-panel"), true);
  let figure = [...byId("cameras").children].find((child) => child.dataset.camera === data.camera);
  if (!figure) {
    figure = element("figure", { "data-camera": data.camera }, element("img", { alt: "" }), element("figcaption"));
    figure.firstElementChild.addEventListener("error", () => setText(figure.lastElementChild, `${data.camera}: no picture`));
    byId("cameras").append(figure);
  }
  const [picture, caption] = figure.children;
  show(picture, data.url !== "");
  if (data.url) {
    picture.src = `data:${data.url}`;
    picture.alt = `What ${data.camera} saw`;
  }
  const name = data.camera.replace(/^observation\./, "");
  setText(caption, data.problem ? `${name}: ${data.problem}` : `${name}, step ${count(data.sequence)}`);
}

// MARK: Orders

let toastTimer = 0;

function toast(text, kind = "") {
  const node = byId("toast");
  node.dataset.kind = kind;
  setText(node, text);
  show(node, true);
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => show(node, false), kind === "bad" ? 12000 : 5000);
}

async function give(word, id, seenStop = null) {
  const whom = id ?? "every robot";
  const answer = await order(word, id, seenStop);
  if (answer.error) return toast(`${word} ${whom} was not done: ${answer.message}`, "bad");
  const kept = answer.problem ? `; a restart of the daemon forgets it: ${answer.problem}` : "";
  const what = id === null ? `${answer.robots} robot${answer.robots === 1 ? "" : "s"} changed` : `${answer.state}: ${answer.reason}`;
  toast(`${whom}: ${what}${kept}`, answer.problem ? "bad" : "");
  if (id === null || !status) return;
  const one = status.robots?.find((other) => other.id === id);
  const state = { state: answer.state, reason: answer.reason, for: 0 };
  ordered.set(id, { ...state, at: performance.now() });
  if (one) Object.assign(one, state);
  showStatus();
}

byId("stop").addEventListener("click", () => selected !== null && give("stop", selected));
byId("hold").addEventListener("click", () => selected !== null && give("hold", selected));
byId("resume").addEventListener("click", () => selected !== null && confirmResume(selected));
byId("stop-all").addEventListener("click", () => give("stop", null));
byId("resume-all").addEventListener("click", () => confirmResume(null));

// Asks first. What is resumed is what was seen when this was asked: the daemon refuses if there was a stop since.
function confirmResume(id) {
  const seen = status?.stop ?? "0";
  const dialog = byId("confirm");
  const one = status?.robots?.find((other) => other.id === id);
  const stopped = (status?.robots ?? []).filter((other) => isTrouble(other.state)).length;
  setText(byId("confirm-title"), id === null ? "Resume every robot?" : `Resume ${id}?`);
  setText(byId("confirm-text"), id === null ? `${stopped} robots are stopped.` : `It is ${one?.state ?? "not known"}: ${one?.reason ?? ""}`);
  setText(byId("confirm-yes"), id === null ? `Resume all ${stopped}` : `Resume ${id}`);
  byId("confirm-yes").onclick = () => {
    dialog.close();
    give("resume", id, seen);
  };
  byId("confirm-no").onclick = () => dialog.close();
  dialog.showModal();
}

// MARK: Drawing

const isStill = matchMedia("(prefers-reduced-motion: reduce)");
// How long the passes of a chunk are played, in milliseconds.
const playTime = 900;

function draw() {
  requestAnimationFrame(draw);
  if (document.hidden || byId("panels").hidden) return;
  const played = isStill.matches ? 1 : Math.min((performance.now() - passesBegan) / playTime, 1);
  if (passes && (played < 1 || isDirty)) drawPasses(byId("sampler"), passes, played);
  if (!isDirty) return;
  isDirty = false;
  const ahead = (policy?.horizon ?? 16) + 1;
  for (const chart of actionCharts) chart.draw(now, ahead);
  for (const chart of observedCharts.values()) chart.draw(now, 1);
  if (!byId("scene-panel").hidden) scene.draw();
  drawLatencies(byId("latency"), latencies, policy?.sampler.budgetMs ?? 0);
  if (played >= 1 && passes) drawPasses(byId("sampler"), passes, 1);
}

addEventListener("resize", () => (isDirty = true));
connection.watch(selected);
requestAnimationFrame(draw);
